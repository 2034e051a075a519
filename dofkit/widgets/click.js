// SPDX-License-Identifier: GPL-3.0-or-later
// A picture that says where it was clicked. Arrow keys move a ring (with Shift in larger steps) and count as clicks.

const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const STEP = 0.02, LARGE_STEP = 0.1;

function render({ model, el }) {
  const frame = document.createElement("div");
  frame.className = "dofkit-click";
  frame.tabIndex = 0;
  frame.setAttribute("role", "application");
  frame.setAttribute("aria-roledescription", "picture with a movable point; arrow keys move it");
  const picture = document.createElement("img");
  picture.draggable = false;
  const ring = document.createElement("div");
  ring.className = "dofkit-ring";
  frame.append(picture, ring);
  el.append(frame);

  function show() {
    const bytes = model.get("value");
    if (!bytes || !bytes.byteLength) return;
    const before = picture.src;
    picture.src = URL.createObjectURL(new Blob([bytes], { type: "image/jpeg" }));
    if (before) URL.revokeObjectURL(before);
  }

  function describe() {
    picture.alt = model.get("alt");
    frame.setAttribute("aria-label", model.get("alt"));
  }

  function mark() {
    const point = model.get("point");
    ring.hidden = point.length !== 2;
    if (ring.hidden) return;
    ring.style.left = `${100 * point[0]}%`;
    ring.style.top = `${100 * point[1]}%`;
    ring.getAnimations().forEach((fading) => fading.cancel());
    ring.animate([{ opacity: 1 }, { opacity: 1, offset: 0.6 }, { opacity: 0 }], { duration: 2500, fill: "forwards" });
  }

  function choose(x, y) {
    const inside = (share) => Math.min(Math.max(share, 0), 0.9999);
    model.set("point", [inside(x), inside(y)]);
    model.save_changes();
  }

  frame.addEventListener("click", (event) => {
    const box = picture.getBoundingClientRect();
    choose((event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height);
  });
  frame.addEventListener("keydown", (event) => {
    const direction = STEPS[event.key];
    if (!direction) return;
    event.preventDefault();
    event.stopPropagation();
    const step = event.shiftKey ? LARGE_STEP : STEP;
    const [x, y] = model.get("point").length === 2 ? model.get("point") : [0.5, 0.5];
    choose(x + step * direction[0], y + step * direction[1]);
  });
  model.on("change:value", show);
  model.on("change:alt", describe);
  model.on("change:point", mark);
  show();
  describe();
  mark();
  return () => picture.src && URL.revokeObjectURL(picture.src);
}

export default { render };
