
"use strict";
const main = document.querySelector("main");
const isShell = "shell" in main.dataset;
const notice = document.getElementById("notice");
const REFRESH_SECONDS = 30;
const LOG_IN = "You are not logged in to Airflow, or you may not see the refresh DAG: log in, then reload this page.";
let begun = performance.now();
let asked = begun;

function pad(number) {
  return String(number).padStart(2, "0");
}

function tick() {
  const passed = Math.floor((performance.now() - begun) / 1000);
  for (const timer of main.querySelectorAll("[data-remaining]")) {
    const left = Math.max(0, timer.dataset.remaining - passed);
    timer.textContent = `${Math.floor(left / 3600)} h ${pad(Math.floor(left / 60) % 60)} min ${pad(left % 60)} s`;
  }
  if (performance.now() - asked >= REFRESH_SECONDS * 1000 && !document.hidden) load();
}

// Airflow 3.0 reads the login from this header only, which a browser does not send by itself.
function ask(path) {
  const headers = isShell ? { Authorization: `Bearer ${localStorage.getItem("token")}` } : {};
  return fetch(path, { headers, cache: "no-store", redirect: "manual" });
}

async function load() {
  asked = performance.now();
  try {
    const answer = await ask("facts");
    if (!answer.ok) {
      const lost = answer.type === "opaqueredirect" || answer.status === 401 || answer.status === 403;
      if (lost) main.replaceChildren();
      notice.textContent = lost ? LOG_IN : `Airflow responds with ${answer.status}: this page is not up to date.`;
      return;
    }
    show(await answer.text());
    notice.textContent = "";
  } catch {
    notice.textContent = "Airflow does not respond: this page is not up to date.";
  }
}

function show(html) {
  const opened = [...main.querySelectorAll("details")].map((details) => details.open);
  const focused = [...main.querySelectorAll("summary, [tabindex]")].indexOf(document.activeElement);
  main.replaceChildren(...new DOMParser().parseFromString(html, "text/html").body.childNodes);
  begun = performance.now();
  main.querySelectorAll("details").forEach((details, index) => { details.open = opened[index] ?? false; });
  main.querySelectorAll("summary, [tabindex]")[focused]?.focus();
  title();
  tick();
}

function title() {
  const verdicts = [...main.querySelectorAll("[data-verdict]")].map((verdict) => verdict.dataset.verdict);
  document.title = [...verdicts, "CodeArtifact index-url"].join(", ");
}

async function showJson(event) {
  event.preventDefault();
  const json = document.getElementById("json");
  try {
    const answer = await ask("status.json");
    notice.textContent = answer.status === 401 || answer.status === 403 ? LOG_IN : "";
    json.textContent = await answer.text();
    json.hidden = Boolean(notice.textContent);
    json.focus();
  } catch {
    notice.textContent = "Airflow does not respond: the JSON cannot be shown.";
  }
}

title();
setInterval(tick, 1000);
if (isShell) {
  document.getElementById("json-link").addEventListener("click", showJson);
  load();
}
