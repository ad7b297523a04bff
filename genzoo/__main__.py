"""``python -m genzoo``."""

from genzoo.cli.app import main

main()
