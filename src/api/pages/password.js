"use strict";
const form = document.querySelector("form");
const told = document.querySelector("output");
const key = location.hash.slice(1);
// The key stays in no history.
history.replaceState(null, "", location.pathname);
const say = (text, good) => {
  told.textContent = text;
  told.className = good ? "good" : "bad";
};
if (!/^[0-9a-f]{64}$/.test(key)) {
  form.hidden = true;
  say(form.dataset.lost, false);
}
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const [first, second] = form.querySelectorAll("input");
  if (first.value !== second.value) {
    say(form.dataset.differ, false);
    return;
  }
  const button = form.querySelector("button");
  button.disabled = true;
  try {
    const answer = await fetch("/api/v1/passwords", {
      method: "POST",
      headers: { "Content-Type": "application/json", "Accept-Language": document.documentElement.lang },
      body: JSON.stringify({ key, password: first.value }),
    });
    if (answer.ok) {
      form.hidden = true;
      say(form.dataset.done, true);
      return;
    }
    const problem = await answer.json();
    say((problem.errors ?? [problem]).map((it) => it.detail).join(" "), false);
  } catch {
    say(form.dataset.unreached, false);
  }
  button.disabled = false;
});
