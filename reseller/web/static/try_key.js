// Asks a model with the key on the page. The key goes to this shop's API, in a header, and nowhere else; no cookie goes with it.

const CAP_TOKENS = 1000;

for (const form of document.querySelectorAll("[data-tries-key]")) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    ask(form);
  });
}

async function ask(form) {
  const button = form.querySelector("button");
  const [answer, cost] = [form.querySelector("[data-try-answer]"), form.querySelector("[data-try-cost]")];
  const { key, model, prompt } = form.elements;
  answer.hidden = false;
  answer.classList.remove("tone-bad");
  answer.textContent = "";
  cost.textContent = "Asking…";
  button.disabled = true;
  try {
    const usage = await stream(key.value.trim(), model.value, prompt.value, (text) => answer.append(text));
    if (!answer.textContent) answer.textContent = "The answer was empty.";
    cost.textContent = usage ? told(usage) : "";
  } catch (error) {
    answer.classList.add("tone-bad");
    answer.append(answer.textContent ? "\n" : "", error.message);
    cost.textContent = "";
  } finally {
    button.disabled = false;
  }
}

// The usage that the last event brings; `heard` gets each piece of the answer.
async function stream(key, model, prompt, heard) {
  const body = { model, stream: true, stream_options: { include_usage: true }, max_tokens: CAP_TOKENS, messages: [{ role: "user", content: prompt }] };
  const response = await fetch("/v1/chat/completions", {
    method: "POST",
    credentials: "omit",
    headers: { "Content-Type": "application/json", Authorization: `Bearer ${key}` },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error((await response.json()).error.message);
  let usage = null;
  for await (const data of events(response.body)) {
    // A charge has more digits than a number of JavaScript's keeps: read as text first.
    const cost = /"cost":\s*([0-9.eE+-]+)/.exec(data)?.[1];
    const { error, choices, usage: sent } = JSON.parse(data);
    if (error) throw new Error(error.message);
    if (choices?.[0]?.delta?.content) heard(choices[0].delta.content);
    if (sent) usage = { ...sent, cost };
  }
  return usage;
}

// The data of each server-sent event, up to the end mark.
async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let kept = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const lines = (kept + value).split("\n");
    kept = lines.pop();
    for (const line of lines) {
      if (!line.startsWith("data: ")) continue;
      const data = line.slice(6).trim();
      if (data === "[DONE]") return;
      yield data;
    }
  }
}

function told({ prompt_tokens: asked, completion_tokens: answered, cost }) {
  const charge = cost && Number(cost) ? `Charged $${cost}` : "Charged nothing";
  return `${charge}: ${asked} tokens in, ${answered} out.`;
}
