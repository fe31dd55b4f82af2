"""How a program receives webhooks: texts to paste that check a signature. A test runs each of them on a message that we signed."""

from reseller.web.snippets import Snippet

WITH_LIBRARY = """\
# pip install flask standardwebhooks
import os

from flask import Flask, request
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

app = Flask(__name__)
webhook = Webhook(os.environ["WEBHOOK_SECRET"])  # whsec_…
seen = set()  # in earnest: a column with a unique key


@app.post("/hooks")
def receive():
    try:
        message = webhook.verify(request.get_data(), dict(request.headers))
    except WebhookVerificationError:
        return "not signed by the shop", 400
    if message["id"] not in seen:  # a message may come twice
        seen.add(message["id"])
        print(message["type"], message["data"])
    return "", 204
"""

WITHOUT_LIBRARY = '''\
import base64
import hashlib
import hmac
import time


def verified(secret: str, headers: dict, body: bytes) -> bool:
    """Whether the shop signed this within the last five minutes. `body`: the bytes as they came."""
    message_id, timestamp = headers["webhook-id"], headers["webhook-timestamp"]
    if abs(time.time() - int(timestamp)) > 300:
        return False
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{message_id}.{timestamp}.".encode() + body
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    given = [mark.removeprefix("v1,") for mark in headers["webhook-signature"].split(" ")]
    return any(hmac.compare_digest(expected, mark) for mark in given)
'''

IN_NODE = """\
// npm install express standardwebhooks
import express from "express";
import { Webhook } from "standardwebhooks";

const webhook = new Webhook(process.env.WEBHOOK_SECRET); // whsec_…
const app = express();

app.post("/hooks", express.raw({ type: "application/json" }), (request, response) => {
  let message;
  try {
    message = webhook.verify(request.body.toString(), request.headers);
  } catch {
    return response.status(400).send("not signed by the shop");
  }
  console.log(message.type, message.data); // a message may come twice: remember message.id
  response.sendStatus(204);
});

app.listen(3000);
"""

CHECKS = (
    Snippet("library", "Python", "A whole receiver, with the library of Standard Webhooks.", code=WITH_LIBRARY),
    Snippet("plain", "Python, no library", "The check alone, with what Python brings along.", code=WITHOUT_LIBRARY),
    Snippet("node", "Node", "A whole receiver, with the same library for Node.", code=IN_NODE),
)
