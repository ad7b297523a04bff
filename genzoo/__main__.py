"""``python -m genzoo``."""

from genzoo.cli import main

main()
