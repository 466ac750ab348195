#!/usr/bin/env python3
"""HTTP server for the download tests: the files of a folder, well or badly served.

usage: range_server.py FOLDER LOG
Prints its port on stdout, ends when stdin closes. LOG gets a line "PATH RANGE" per request.

/ok/FILE       with byte ranges, 416 after the end
/norange/FILE  ignores Range and sends the whole file
/cut/FILE      promises what is asked for, sends half of it and closes the connection
/once/FILE     like /cut the first time, then like /ok
/wrong/FILE    every byte inverted
anything else  404
"""
import http.server
import os
import re
import sys
import threading


class Handler(http.server.BaseHTTPRequestHandler):
    cut_before = set()

    def do_GET(self):
        wanted = self.headers.get("Range", "-")
        with open(sys.argv[2], "a", encoding="utf-8") as log:
            log.write(f"{self.path} {wanted}\n")
        how, _, name = self.path.strip("/").partition("/")
        path = os.path.join(sys.argv[1], os.path.basename(name))
        if how not in ("ok", "norange", "cut", "once", "wrong") or not os.path.isfile(path):
            self.send_error(404)
            return
        with open(path, "rb") as f:
            data = f.read()
        if how == "wrong":
            data = bytes(b ^ 255 for b in data)
        total, start = len(data), 0
        match = re.fullmatch(r"bytes=(\d+)-", wanted)
        if match and how != "norange":
            start = int(match.group(1))
            if start >= total:
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{total}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(total - start))
        self.end_headers()
        body = data[start:]
        if how == "cut" or (how == "once" and self.path not in self.cut_before):
            self.cut_before.add(self.path)
            body = body[:len(body) // 2]
        self.wfile.write(body)

    def log_message(self, *args):
        pass


def main():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_address[1], flush=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.read()


main()
