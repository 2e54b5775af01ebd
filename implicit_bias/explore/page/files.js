// The plane and the Python lines as files.

import { $ } from "./state.js";
import { sizeOf } from "./picture.js";

const DRAWN = ["fill", "stroke", "stroke-width", "stroke-dasharray", "stroke-opacity", "opacity", "font-family", "font-size", "stroke-linejoin"];

// The plane as a file of its own, with the colours it has here.
function standalone() {
  const copy = $("plane").cloneNode(true), [width, height] = sizeOf("plane");
  const originals = [$("plane"), ...$("plane").querySelectorAll("*")], copies = [copy, ...copy.querySelectorAll("*")];
  originals.forEach((original, k) => { const style = getComputedStyle(original); for (const name of DRAWN) copies[k].setAttribute(name, style.getPropertyValue(name)); });
  for (const handle of copy.querySelectorAll(".end, .reach")) handle.remove();
  const paper = document.createElementNS("http://www.w3.org/2000/svg", "rect");
  for (const [name, value] of Object.entries({ width, height, fill: getComputedStyle(document.body).backgroundColor })) paper.setAttribute(name, value);
  copy.prepend(paper);
  for (const [name, value] of Object.entries({ xmlns: "http://www.w3.org/2000/svg", width, height })) copy.setAttribute(name, value);
  return { text: new XMLSerializer().serializeToString(copy), width, height };
}

function save(content, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

export function listen() {
  $("svg").addEventListener("click", () => save(new Blob([standalone().text], { type: "image/svg+xml" }), "potential.svg"));
  $("python").addEventListener("click", () => save(new Blob([$("script").textContent], { type: "text/x-python" }), "potential.py"));
  $("png").addEventListener("click", () => {
    const { text, width, height } = standalone(), image = new Image(), canvas = document.createElement("canvas");
    Object.assign(canvas, { width: 3 * width, height: 3 * height });
    image.onload = () => { canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height); canvas.toBlob((blob) => save(blob, "potential.png")); };
    image.src = "data:image/svg+xml," + encodeURIComponent(text);
  });
}
