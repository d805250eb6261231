"""Takes Voxhall's facts by HTTP, as docs/core.md has it: a whole receiver, without a library.

    webhook.py --listen 127.0.0.1:0 --secret SECRET --facts FILE.jsonl [--fail N] [--forget N]
"""

import argparse
import hashlib
import hmac
import http.server
import json
import os
import time

FRESH_S = 300  # an older one may be another's copy


def is_signed(secret, header, body, now):
    parts = dict(part.split("=", 1) for part in header.split(",") if "=" in part)
    if not parts.get("t", "").isdigit() or abs(now - int(parts["t"])) > FRESH_S:
        return False
    wanted = hmac.new(secret.encode(), parts["t"].encode() + b"." + body, hashlib.sha256)
    return hmac.compare_digest(wanted.hexdigest(), parts.get("v1", ""))


class Receiver(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        options, last = self.server.options, self.server.last
        body = self.rfile.read(int(self.headers["Content-Length"]))
        shown = self.headers.get("Voxhall-Signature", "")
        if not is_signed(options.secret, shown, body, time.time()):
            return self.answer(401)
        if options.fail > 0:  # a bad day
            options.fail -= 1
            return self.answer(503)
        with open(options.facts, "a", encoding="utf-8") as facts:
            for fact in json.loads(body)["facts"]:
                if fact["call_seq"] > last.get(fact["call_uid"], 0):  # else it came again
                    last[fact["call_uid"]] = fact["call_seq"]
                    facts.write(json.dumps(fact) + "\n")
            facts.flush()
            os.fsync(facts.fileno())
        if options.forget > 0:  # taken, and the answer is lost
            options.forget -= 1
            self.close_connection = True
            return None
        return self.answer(204)

    def answer(self, status):
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--listen", default="127.0.0.1:0")
    options.add_argument("--secret", required=True)
    options.add_argument("--facts", required=True)
    options.add_argument("--fail", type=int, default=0)
    options.add_argument("--forget", type=int, default=0)
    options = options.parse_args()
    host, port = options.listen.rsplit(":", 1)
    server = http.server.ThreadingHTTPServer((host, int(port)), Receiver)
    server.options, server.last = options, {}
    print(f"facts are taken at http://{host}:{server.server_port}/facts", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
