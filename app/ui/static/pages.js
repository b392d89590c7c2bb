// Everything works without this file; it adds keys and copy buttons.
"use strict";

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, textarea, select");
  if (event.key === "/" && !typing) {
    const box = document.querySelector("[data-find]");
    if (box) {
      event.preventDefault();
      box.focus();
    }
  }
  if (event.key === "Escape") {
    event.target.closest("details[open]")?.removeAttribute("open");
  }
});

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-copy]");
  if (button) {
    const shown = document.getElementById(button.dataset.copy);
    getSelection().selectAllChildren(shown); // what can be done where no clipboard is offered
    navigator.clipboard?.writeText(shown.textContent).then(() => {
      button.textContent = "Copied";
    });
  }
});

// A second click would send a form again.
const sent = new Set();
document.addEventListener("submit", (event) => {
  if (event.target.method === "post") {
    const buttons = event.target.querySelectorAll("button:enabled");
    setTimeout(() => {
      for (const button of buttons) {
        sent.add(button);
        button.disabled = true;
      }
    });
  }
});
addEventListener("pageshow", () => sent.forEach((button) => (button.disabled = false))); // gone back to

for (const button of document.querySelectorAll("[data-copy]")) {
  button.hidden = false;
}

document.getElementById(location.hash.slice(1))?.closest("details")?.setAttribute("open", "");
