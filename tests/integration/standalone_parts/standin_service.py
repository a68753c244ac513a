"""Stands in for a service: answers every GET with 200 on the port that the stack gave it."""

import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class _Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        """Answer at once."""
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(os.environ["PLANSHIFT_HTTP_PORT"])), _Answer).serve_forever()
