"""Text that customers paste to make their first call: programs, and settings of tools that speak OpenAI's API.

Pure. Every text is whole: with a real key it runs as it stands. Without one it has PLACEHOLDER where the key belongs.
"""

import json
import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass

PLACEHOLDER = "YOUR_API_KEY"
PROMPT = "Say hello in one sentence."


@dataclass(frozen=True, slots=True)
class Target:
    """Where a snippet calls, what it asks for, and with which key."""

    base_url: str
    model: str
    brand: str
    key: str = PLACEHOLDER


@dataclass(frozen=True, slots=True)
class Snippet:
    """One tab: what to do, then text to paste, or the fields of a form and what to type into them."""

    id: str
    label: str
    about: str
    code: str = ""
    fields: tuple[tuple[str, str], ...] = ()


def target(public_url: str, *, model: str, brand: str, key: str = PLACEHOLDER) -> Target:
    """The API of the shop at this address."""
    return Target(f"{public_url.rstrip('/')}/v1", model, brand, key)


def programs(to: Target) -> tuple[Snippet, ...]:
    """Snippets for people who write programs."""
    return tuple(make(to) for make in (curl, openai_python, openai_node, langchain))


def tools(to: Target) -> tuple[Snippet, ...]:
    """Settings of common tools."""
    return tuple(make(to) for make in TOOLS)


def curl(to: Target) -> Snippet:
    """One line for a terminal."""
    body = shlex.quote(json.dumps({"model": to.model, "messages": [{"role": "user", "content": PROMPT}]}))
    code = (
        f"curl {shlex.quote(to.base_url + '/chat/completions')} \\\n"
        f"  -H {shlex.quote('Authorization: Bearer ' + to.key)} \\\n"
        "  -H 'Content-Type: application/json' \\\n"
        f"  -d {body}"
    )
    return Snippet("curl", "curl", "Paste it into a terminal.", code)


def openai_python(to: Target) -> Snippet:
    """OpenAI's package for Python."""
    code = f"""from openai import OpenAI

client = OpenAI(
    base_url={_quoted(to.base_url)},
    api_key={_quoted(to.key)},
)
answer = client.chat.completions.create(
    model={_quoted(to.model)},
    messages=[{{"role": "user", "content": {_quoted(PROMPT)}}}],
)
print(answer.choices[0].message.content)"""
    return Snippet("python", "Python", "Run pip install openai first.", code)


def openai_node(to: Target) -> Snippet:
    """OpenAI's package for Node."""
    code = f"""import OpenAI from "openai";

const client = new OpenAI({{
  baseURL: {_quoted(to.base_url)},
  apiKey: {_quoted(to.key)},
}});
const answer = await client.chat.completions.create({{
  model: {_quoted(to.model)},
  messages: [{{ role: "user", content: {_quoted(PROMPT)} }}],
}});
console.log(answer.choices[0].message.content);"""
    return Snippet("node", "Node", "Run npm install openai first, and save this as hello.mjs.", code)


def langchain(to: Target) -> Snippet:
    """LangChain's package for APIs like OpenAI's."""
    code = f"""from langchain_openai import ChatOpenAI

model = ChatOpenAI(
    base_url={_quoted(to.base_url)},
    api_key={_quoted(to.key)},
    model={_quoted(to.model)},
)
print(model.invoke({_quoted(PROMPT)}).content)"""
    return Snippet("langchain", "LangChain", "Run pip install langchain-openai first.", code)


def open_webui(to: Target) -> Snippet:
    about = "Admin panel → Settings → Connections → OpenAI API: add a connection."
    return Snippet("open-webui", "Open WebUI", about, fields=(("URL", to.base_url), ("Key", to.key)))


def librechat(to: Target) -> Snippet:
    code = f"""version: 1.2.1
endpoints:
  custom:
    - name: {_quoted(to.brand)}
      apiKey: {_quoted(to.key)}
      baseURL: {_quoted(to.base_url)}
      models:
        default: [{_quoted(to.model)}]
        fetch: true
      titleConvo: true
      titleModel: current_model
      modelDisplayLabel: {_quoted(to.brand)}"""
    return Snippet("librechat", "LibreChat", "In librechat.yaml; then start LibreChat again.", code)


def aider(to: Target) -> Snippet:
    code = f"""export OPENAI_API_BASE={shlex.quote(to.base_url)}
export OPENAI_API_KEY={shlex.quote(to.key)}
aider --model {shlex.quote("openai/" + to.model)}"""
    return Snippet("aider", "aider", "In the folder of your project. The model's name begins with openai/ there, whoever made it.", code)


def llm(to: Target) -> Snippet:
    name = _word(to.brand)
    code = f"""cat >> "$(dirname "$(llm logs path)")/extra-openai-models.yaml" <<'END'
- model_id: {_quoted(f"{name}/{to.model}")}
  model_name: {_quoted(to.model)}
  api_base: {_quoted(to.base_url)}
  api_key_name: {name}
END
llm keys set {name} --value {shlex.quote(to.key)}
llm -m {shlex.quote(f"{name}/{to.model}")} {shlex.quote(PROMPT)}"""
    return Snippet("llm", "llm", "Paste it into a terminal. It adds the model and the key, and asks.", code)


def cline(to: Target) -> Snippet:
    fields = (
        ("API Provider", "OpenAI Compatible"),
        ("Base URL", to.base_url),
        ("OpenAI Compatible API Key", to.key),
        ("Model ID", to.model),
    )
    return Snippet("cline", "Cline", "Settings (the gear) → API Configuration.", fields=fields)


def continue_dev(to: Target) -> Snippet:
    code = f"""name: {_quoted(to.brand)}
version: 1.0.0
schema: v1
models:
  - name: {_quoted(to.model)}
    provider: openai
    model: {_quoted(to.model)}
    apiBase: {_quoted(to.base_url)}
    apiKey: {_quoted(to.key)}
    roles: [chat, edit, apply]"""
    return Snippet("continue", "Continue", "In ~/.continue/config.yaml.", code)


TOOLS: tuple[Callable[[Target], Snippet], ...] = (open_webui, librechat, aider, llm, cline, continue_dev)


def _quoted(text: str) -> str:
    """The text as a literal that JSON, Python, JavaScript and YAML all read alike."""
    return json.dumps(text)


def _word(text: str) -> str:
    """A name without anything that a shell or YAML would take for more than a word."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "api"
