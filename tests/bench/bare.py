"""The bare baseline: a Flask view that passes a call through with `requests` and does nothing else.

No keys, no prices, no books, no checks: what any Python gateway on this stack pays before its own work begins.
"""

import os

import requests
from flask import Flask, Response, request
from requests.adapters import HTTPAdapter

UPSTREAM = os.environ["BARE_UPSTREAM"]
STREAMS = 4000

app = Flask(__name__)
session = requests.Session()
session.trust_env = False
session.mount("http://", HTTPAdapter(pool_connections=1, pool_maxsize=STREAMS))


@app.post("/v1/chat/completions")
def chat() -> Response:
    body = request.get_data(cache=False)
    answer = session.post(f"{UPSTREAM}/chat/completions", data=body, headers={"Content-Type": "application/json"}, stream=True, timeout=60)
    kind = answer.headers["Content-Type"]
    if kind.startswith("text/event-stream"):
        return Response(answer.iter_content(chunk_size=None), status=answer.status_code, content_type=kind)
    return Response(answer.content, status=answer.status_code, content_type=kind)
