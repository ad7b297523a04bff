"""A web server on this machine that behaves as badly as it is told."""

from __future__ import annotations

import http.server
import re
import threading


class Server:
    """Serves ``files`` (path to bytes); notes each request as (path, range asked for or None).

    ``plan`` holds what to do with the next requests, "ok" once it is used up:

    - "ok": what is asked for, ranges too; "ignore ranges": always the whole
    - "cut": half of what is asked for, then the line goes dead; "cut whole": the same, but half of
      the whole, whatever range is asked for
    - "unsized": without saying how long it is; "unsized cut": the same, half of it
    - "shifted": a range that starts a byte later than asked for
    - "wrong": as many other bytes; "endless": bytes without end
    - "hang": nothing at all, until the server is closed; "stall": half of it, then nothing
    - a number: an HTTP status
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.plan: list[str | int] = []
        self.requests: list[tuple[str, str | None]] = []
        self.closing = threading.Event()
        self.stalled = threading.Event()
        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.http.daemon_threads = True
        threading.Thread(target=self.http.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.http.server_address[1]}"

    def close(self) -> None:
        self.closing.set()
        self.http.shutdown()
        self.http.server_close()


def _handler(server: Server) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *args):
            pass

        def do_GET(self):
            asked = self.headers.get("Range")
            server.requests.append((self.path.lstrip("/"), asked))
            act = server.plan.pop(0) if server.plan else "ok"
            whole = server.files.get(self.path.lstrip("/"))
            if act == "hang":
                server.closing.wait(20)
            elif isinstance(act, int) or whole is None:
                self.send_error(act if isinstance(act, int) else 404)
            else:
                self.answer(act, whole, asked)

        def answer(self, act, whole, asked):
            start = int(re.fullmatch(r"bytes=(\d+)-", asked).group(1)) if asked else 0
            if start >= len(whole) and asked:
                self.send_error(416)
                return
            if act in ("ignore ranges", "cut whole"):
                start = 0
            elif act == "shifted":
                start += 1
            body = whole[start:] if act != "wrong" else bytes(b ^ 1 for b in whole[start:])
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(whole) - 1}/{len(whole)}")
            if not act.startswith("unsized") and act != "endless":
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            half = "cut" in act or act == "stall"
            try:
                self.wfile.write(body[: len(body) // 2] if half else body)
                if act == "stall":
                    server.stalled.set()
                    server.closing.wait(20)
                while act == "endless" and not server.closing.is_set():
                    self.wfile.write(b"x" * 65536)
            except ConnectionError:
                pass  # the client had enough

    return Handler
