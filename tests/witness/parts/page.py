"""Serves page.html from two origins to Chromium, and waits for what it says."""

import http.server
import json
import os
import queue
import smtplib
import subprocess
import sys
import threading


ENV = os.environ
HERE = os.path.dirname(os.path.abspath(__file__))
SAID = queue.Queue()


class Page(http.server.BaseHTTPRequestHandler):
    def answer(self, kind, octets):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(octets)))
        self.end_headers()
        self.wfile.write(octets)

    def do_GET(self):
        if self.path == "/settings":
            settings = {"server": f"http://{ENV['HOST']}:{ENV['HTTP']}", "login": ENV["LOGIN"],
                        "password": ENV["PASSWORD"]}
            return self.answer("application/json", json.dumps(settings).encode())
        with open(os.path.join(HERE, "page.html"), "rb") as file:
            self.answer("text/html", file.read())

    def do_POST(self):
        SAID.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.answer("text/plain", b"")

    def log_message(self, *_):
        pass


def serve(port):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{port}/"


def said(step):
    told = SAID.get(timeout=60)
    assert told["step"] == step, told
    print(f"{step}: {told['what']}")
    return told["what"]


def browse(url, name):
    profile = os.path.join(ENV["WITNESS_TMP"], name)
    log = open(os.path.join(ENV["WITNESS_TMP"], name + ".log"), "w")
    return subprocess.Popen(
        ["chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
         f"--user-data-dir={profile}", url], stdout=log, stderr=log)


def bring():
    with smtplib.SMTP(ENV["HOST"], int(ENV["SMTP"])) as smtp:
        smtp.sendmail("anna@example.net", [ENV["ME"]], f"To: {ENV['ME']}\r\nSubject: pushed\r\n\r\nx\r\n")


def main():
    port = int(ENV["SPARE"])
    named, other = serve(port), serve(port + 1)
    browser = browse(named, "named")
    try:
        assert said("logged in") == ENV["LOGIN"]
        assert said("listed") == ["page 1", "page 2", "page 3"]
        said("written")
        said("listening")
        bring()
        assert said("pushed") == 1
        said("done")
    finally:
        browser.kill()
    browser = browse(other, "other")
    try:
        assert "Failed to fetch" in said("failed")
    finally:
        browser.kill()


main()
sys.exit(0)
