// Rectangles and strokes on a photo, by pointer or keyboard, in pixels of the photo. Each finished one is reported.
const SHAPE = "http://www.w3.org/2000/svg", MOST_SHAPES = 100, MOST_POINTS = 1000, STEP = 1 / 20;
let shapes = [], of = null, current = null, frame = null, tool = "box", pointer = null;
const root = () => element.querySelector(".draw"), surface = () => element.querySelector(".draw svg");
const size = () => surface().viewBox.baseVal;
const drawn = ({ box, line, width }) => {
  const shape = document.createElementNS(SHAPE, box ? "rect" : "polyline");
  const names = box
    ? { x: box[0], y: box[1], width: box[2] - box[0], height: box[3] - box[1] }
    : { points: [...line, line.at(-1)].join(" "), "stroke-width": width };
  for (const [name, value] of Object.entries(names)) shape.setAttribute(name, value);
  return shape;
};
const show = () => {
  surface().replaceChildren(...[...shapes, current].filter(Boolean).map(drawn));
  if (!frame) return;
  const outline = drawn({ box: frame });
  outline.classList.add("frame");
  surface().append(outline);
};
const tell = () => {
  show();
  element.dataset.chosen = JSON.stringify({ of: root().dataset.of, shapes });
  trigger("select");
};
const press = () => {
  for (const button of element.querySelectorAll("[data-tool]")) {
    button.setAttribute("aria-pressed", button.dataset.tool === tool);
  }
};
const load = () => {
  current = frame = pointer = null;
  // Of the same photo, what is drawn here is newer than what the server has heard of.
  if (root()?.dataset.of !== of) shapes = root() ? JSON.parse(root().dataset.shapes) : [];
  of = root()?.dataset.of ?? null;
  if (root()) { press(); show(); }
};
load();
watch("value", load);
const place = ({ clientX, clientY }) => {
  const { left, top, width, height } = surface().getBoundingClientRect();
  const x = ((clientX - left) / width) * size().width, y = ((clientY - top) / height) * size().height;
  return [Math.min(Math.max(x, 0), size().width), Math.min(Math.max(y, 0), size().height)].map(Math.round);
};
const brush = () => (Number(element.querySelector("[data-brush]").value) / 100) * Math.min(size().width, size().height);
const points = () => shapes.reduce((sum, { line }) => sum + (line?.length ?? 0), 0);
let start = null;
element.addEventListener("pointerdown", (event) => {
  if (event.button || pointer !== null || !event.target.closest(".draw svg")) return;
  if (shapes.length >= MOST_SHAPES || points() >= MOST_POINTS) return;
  pointer = event.pointerId;
  surface().setPointerCapture(event.pointerId);
  start = place(event);
  frame = null;
  current = tool === "box" ? { box: [...start, ...start] } : { line: [start], width: Math.round(brush()) };
  show();
});
element.addEventListener("pointermove", (event) => {
  if (!current || event.pointerId !== pointer) return;
  const [x, y] = place(event);
  if (current.box) {
    current.box = [Math.min(x, start[0]), Math.min(y, start[1]), Math.max(x, start[0]), Math.max(y, start[1])];
  } else {
    const [beforeX, beforeY] = current.line.at(-1);
    if (Math.hypot(x - beforeX, y - beforeY) < current.width / 4 || points() + current.line.length >= MOST_POINTS) return;
    current.line.push([x, y]);
  }
  show();
});
element.addEventListener("pointerup", (event) => {
  if (!current || event.pointerId !== pointer) return;
  pointer = null;
  const { box } = current;
  // A click alone draws no rectangle.
  if (!box || (box[2] > box[0] && box[3] > box[1])) shapes.push(current);
  current = null;
  tell();
});
element.addEventListener("pointercancel", (event) => {
  if (event.pointerId !== pointer) return;
  current = pointer = null;
  if (surface()) show();
});
element.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button?.dataset.tool) { tool = button.dataset.tool; press(); }
  if (button?.dataset.do === "undo") { shapes.pop(); tell(); }
  if (button?.dataset.do === "clear") { shapes = []; tell(); }
});
const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
element.addEventListener("keydown", (event) => {
  if (!event.target.closest(".draw svg")) return;
  const move = moves[event.key], { width, height } = size();
  if (!move && !["Enter", " ", "Escape"].includes(event.key)) return;
  event.preventDefault();
  frame ??= [width * 0.4, height * 0.4, width * 0.6, height * 0.6];
  if (event.key === "Escape") frame = null;
  if (move) {
    const [right, down] = [move[0] * width * STEP, move[1] * height * STEP];
    const [left, top, far, low] = frame;
    if (event.shiftKey) frame = [left, top, Math.max(far + right, left + width * STEP), Math.max(low + down, top + height * STEP)];
    else frame = [left + right, top + down, far + right, low + down];
    // It stays on the photo.
    const [aside, below] = [Math.max(-frame[0], Math.min(0, width - frame[2])), Math.max(-frame[1], Math.min(0, height - frame[3]))];
    if (!event.shiftKey) frame = [frame[0] + aside, frame[1] + below, frame[2] + aside, frame[3] + below];
    frame = [frame[0], frame[1], Math.min(frame[2], width), Math.min(frame[3], height)];
  }
  if (["Enter", " "].includes(event.key)) {
    if (event.repeat || shapes.length >= MOST_SHAPES) return;
    shapes.push({ box: frame.map(Math.round) });
    return tell();
  }
  show();
});
