// The board of a net: it shows the picture that Python sends and asks Python for what is clicked.
// It knows no rule of the game. Everything is in this file; nothing is fetched.

const CSS = `
.pfb { --bg:#FFFFFF; --ink:#1B2430; --soft:#5B6675; --line:#DCE2EA; --fill:#F7F9FB; --go:#0B6E4F;
  font:500 12px Inter,ui-sans-serif,system-ui,-apple-system,'Segoe UI',Roboto,sans-serif;
  color:var(--ink); background:var(--bg); border:1px solid var(--line); border-radius:8px;
  overflow:hidden; max-width:100%; outline-offset:-2px }
@media (prefers-color-scheme:dark) { .pfb { --bg:#14181F; --ink:#E8ECF2; --soft:#9AA6B5;
  --line:#2C3541; --fill:#191E26; --go:#4FD1A1 } }
[data-jp-theme-light="true"] .pfb { --bg:#FFFFFF; --ink:#1B2430; --soft:#5B6675; --line:#DCE2EA;
  --fill:#F7F9FB; --go:#0B6E4F }
[data-jp-theme-light="false"] .pfb { --bg:#14181F; --ink:#E8ECF2; --soft:#9AA6B5; --line:#2C3541;
  --fill:#191E26; --go:#4FD1A1 }
.pfb:focus-visible, .pfb button:focus-visible { outline:2px solid var(--go) }
.pfb-bar { display:flex; align-items:center; gap:4px; padding:6px 8px; background:var(--fill);
  border-bottom:1px solid var(--line); flex-wrap:wrap }
.pfb-bar button { all:unset; box-sizing:border-box; min-width:28px; height:26px; padding:0 7px;
  border-radius:6px; text-align:center; cursor:pointer; color:var(--ink) }
.pfb-bar svg { display:block; width:14px; height:14px; margin:6px auto; fill:currentColor;
  stroke:currentColor; stroke-width:1.6; stroke-linejoin:round }
.pfb-bar button:last-child path { fill:none }
.pfb-bar button:hover:not(:disabled) { background:var(--line) }
.pfb-bar button:disabled { color:var(--soft); opacity:.5; cursor:default }
.pfb-bar input { flex:1 1 120px; max-width:320px; accent-color:var(--go); margin:0 6px }
.pfb-bar .gap { flex:1 }
.pfb-count { color:var(--soft); font-variant-numeric:tabular-nums; white-space:nowrap }
.pfb-stage { overflow:hidden; touch-action:none; cursor:grab; position:relative }
.pfb-stage.moving { cursor:grabbing }
.pfb-stage svg { display:block; width:100% !important; height:100% !important;
  min-width:0 !important; max-width:none !important }
.pfb-stage .is-enabled { cursor:pointer }
.pfb-stage g:focus { outline:none }
.pfb-stage g:focus-visible > :first-child { stroke-width:4 }
.pfb-foot { display:flex; gap:10px; padding:5px 10px; border-top:1px solid var(--line);
  background:var(--fill); color:var(--soft); font-weight:400; min-height:16px }
.pfb-foot b { color:var(--ink); font-weight:500 }
.pfb-flyer { fill:var(--go) }
`;

const LEAST = 0.75; // text is not shown smaller than this of its size; one pans instead
const FLY = 280; // how many milliseconds a token takes

// What the buttons show, on 16 × 16.
const ICONS = {
  first: "M4 3v10M13 3L6 8l7 5z",
  back: "M11 3L4 8l7 5z",
  play: "M3 3l5 5-5 5zM8 3l5 5-5 5z",
  pause: "M4 3h3v10H4zM9 3h3v10H9z",
  next: "M5 3l7 5-7 5z",
  less: "M3 8h10",
  more: "M3 8h10M8 3v10",
  whole: "M3 6V3h3M10 3h3v3M13 10v3h-3M6 13H3v-3",
};

function icon(name) {
  return `<svg viewBox="0 0 16 16" aria-hidden="true"><path d="${ICONS[name]}"/></svg>`;
}

function make(tag, name, parent, text) {
  const made = document.createElement(tag);
  if (name) made.className = name;
  if (text) made.textContent = text;
  parent.append(made);
  return made;
}

class Board {
  constructor(model, el) {
    this.model = model;
    this.wishes = 0;
    this.timer = null;
    this.view = null; // x, y, width, height of what is seen, in the picture's px
    this.root = make("div", "pfb", el);
    this.root.tabIndex = 0;
    this.root.dataset.lmSuppressShortcuts = "true"; // JupyterLab leaves our keys to us
    make("style", "", this.root).textContent = CSS;
    this.bar();
    this.stage = make("div", "pfb-stage", this.root);
    this.foot = make("div", "pfb-foot", this.root);
    this.said = make("b", "", this.foot);
    this.foot.setAttribute("aria-live", "polite");
    this.told = make("span", "pfb-marking", this.foot);
    this.gestures();
    this.root.addEventListener("keydown", (event) => this.key(event));
    this.listen = () => this.refresh();
    model.on("change:state", this.listen);
    this.draw();
  }

  bar() {
    this.tools = make("div", "pfb-bar", this.root);
    this.root.setAttribute("role", "group");
    this.root.setAttribute("aria-label", "Token game");
    const button = (name, title, act) => {
      const made = make("button", "", this.tools);
      made.innerHTML = icon(name);
      made.type = "button";
      made.title = title;
      made.setAttribute("aria-label", title);
      made.addEventListener("click", act);
      return made;
    };
    if (this.model.get("state").kind === "game") {
      this.again = button("first", "Begin again (R)", () => this.ask({ do: "reset" }));
      this.back = button("back", "Take back (←)", () => this.ask({ do: "undo" }));
      this.run = button("play", "Play (P)", () => this.playing(this.timer === null));
      this.next = button("next", "Next step (→)", () => this.onward());
      this.slider = make("input", "", this.tools);
      this.slider.type = "range";
      this.slider.min = 0;
      this.slider.setAttribute("aria-label", "Step");
      this.slider.addEventListener("input", () =>
        this.ask({ do: "seek", to: Number(this.slider.value) }));
    }
    this.count = make("span", "pfb-count", this.tools);
    make("span", "gap", this.tools);
    button("less", "Smaller (−)", () => this.zoom(1.25));
    button("more", "Larger (+)", () => this.zoom(0.8));
    button("whole", "The whole net (0)", () => this.whole());
  }

  ask(wish) {
    this.wishes += 1;
    this.model.set("wish", { ...wish, n: this.wishes, at: Date.now() });
    this.model.save_changes();
  }

  onward() {
    const { position, length } = this.model.get("state");
    if (position < length) this.ask({ do: "seek", to: position + 1 });
    else this.playing(false);
  }

  playing(on) {
    clearInterval(this.timer);
    this.timer = on ? setInterval(() => this.onward(), 800) : null;
    if (this.run) this.run.innerHTML = icon(on ? "pause" : "play");
    if (on) this.onward();
  }

  // -- drawing ---------------------------------------------------------------------------------

  refresh() {
    const moves = this.model.get("state").moves;
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.land(); // what still flies has landed now
    if (!moves || !moves.through || still || !this.svg) this.draw();
    else this.fly(moves);
  }

  draw() {
    const state = this.model.get("state");
    const focused = this.root.contains(document.activeElement) && document.activeElement;
    const held = focused && focused.dataset ? focused.dataset.id : undefined;
    this.stage.innerHTML = this.model.get("picture");
    this.svg = this.stage.querySelector("svg");
    this.svg.setAttribute("role", "group"); // what is in an image cannot be reached by a reader
    const box = this.svg.viewBox.baseVal;
    this.full = { x: box.x, y: box.y, width: box.width, height: box.height };
    if (!this.view) this.begin();
    this.follow(state.moves);
    this.look();
    for (const id of state.enabled) {
      const node = this.node(id);
      if (!node) continue;
      node.setAttribute("tabindex", "0");
      node.setAttribute("role", "button");
    }
    if (held !== undefined) (state.enabled.includes(held) ? this.node(held) : this.root).focus();
    this.words(state);
  }

  words(state) {
    if (state.kind === "game") {
      this.slider.max = state.length;
      this.slider.value = state.position;
      this.slider.disabled = state.length === 0;
      this.back.disabled = this.again.disabled = state.position === 0;
      this.next.disabled = this.run.disabled = state.position >= state.length;
      if (state.position >= state.length && this.timer !== null) this.playing(false);
      this.count.textContent = state.position === state.length
        ? `step ${state.position}` : `step ${state.position} of ${state.length}`;
      this.said.textContent = state.message || state.step || "Click what is green.";
    } else {
      this.count.textContent = `case ${state.status}`;
      this.said.textContent = state.message || state.step || state.status;
    }
    this.told.textContent = state.told;
    this.root.dataset.position = state.position ?? state.seen;
    this.root.dataset.status = state.status ?? "";
  }

  node(id) {
    return this.svg.querySelector(`g[data-id="${CSS_escape(id)}"]`);
  }

  centre(id) {
    const node = this.node(id);
    if (!node) return null;
    const box = node.getBBox();
    return [box.x + box.width / 2, box.y + box.height / 2];
  }

  fly({ out, through, into }) {
    const middle = this.centre(through);
    const ways = [];
    for (const id of out) ways.push([this.centre(id), middle, 0]);
    for (const id of into) ways.push([middle, this.centre(id), FLY]);
    this.flying = ways.filter(([a, b]) => a && b).map(([a, b, wait]) => {
      const dot = document.createElementNS("http://www.w3.org/2000/svg", "circle");
      dot.setAttribute("r", 5);
      dot.setAttribute("class", "pfb-flyer");
      dot.setAttribute("visibility", wait ? "hidden" : "visible");
      dot.setAttribute("cx", a[0]);
      dot.setAttribute("cy", a[1]);
      this.svg.append(dot);
      return { dot, a, b, wait };
    });
    const start = performance.now();
    const frame = (now) => {
      const gone = now - start;
      for (const { dot, a, b, wait } of this.flying ?? []) {
        const share = Math.max(0, Math.min(1, (gone - wait) / FLY));
        const eased = share * share * (3 - 2 * share);
        dot.setAttribute("cx", a[0] + (b[0] - a[0]) * eased);
        dot.setAttribute("cy", a[1] + (b[1] - a[1]) * eased);
        dot.setAttribute("visibility", gone >= wait && share < 1 ? "visible" : "hidden");
      }
      if (!this.flying) return;
      if (gone < 2 * FLY) this.frame = requestAnimationFrame(frame);
      else { this.land(); this.draw(); }
    };
    this.words(this.model.get("state"));
    this.frame = requestAnimationFrame(frame);
  }

  land() {
    cancelAnimationFrame(this.frame);
    if (!this.flying) return;
    for (const { dot } of this.flying) dot.remove();
    this.flying = null;
  }

  // -- what is seen ----------------------------------------------------------------------------

  begin() {
    const wide = this.stage.clientWidth || 900;
    const scale = Math.max(LEAST, Math.min(1, wide / this.full.width));
    const high = Math.min(560, Math.max(140, this.full.height * scale));
    this.stage.style.height = `${Math.round(high)}px`;
    const width = wide / scale;
    const height = high / scale;
    const x = width > this.full.width ? this.full.x - (width - this.full.width) / 2 : this.full.x;
    const y = this.full.y + Math.min(0, (this.full.height - height) / 2);
    this.view = { x, y, width, height };
  }

  // Where the tokens went comes into sight, if it is not.
  follow(moves) {
    const spots = [moves?.through, ...(moves?.into ?? [])].map((id) => id && this.centre(id));
    for (const [x, y] of spots.filter(Boolean)) {
      const { x: left, y: top, width, height } = this.view;
      const margin = Math.min(90, width / 4, height / 4);
      this.view.x += Math.min(0, x - margin - left) + Math.max(0, x + margin - left - width);
      this.view.y += Math.min(0, y - margin - top) + Math.max(0, y + margin - top - height);
    }
  }

  look() {
    const { x, y, width, height } = this.view;
    this.svg.setAttribute("viewBox", `${x} ${y} ${width} ${height}`);
    const ground = this.svg.querySelector("rect.canvas");
    if (ground) ground.setAttribute("x", x), ground.setAttribute("y", y);
  }

  zoom(by, at) {
    const { x, y, width, height } = this.view;
    const wide = Math.max(80, Math.min(this.full.width * 4, width * by));
    by = wide / width;
    const [cx, cy] = at ?? [x + width / 2, y + height / 2];
    this.view = { x: cx - (cx - x) * by, y: cy - (cy - y) * by, width: wide, height: height * by };
    this.look();
  }

  whole() {
    const { clientWidth: w, clientHeight: h } = this.stage;
    const scale = Math.max(this.full.width / w, this.full.height / h);
    const { x, y, width, height } = this.full;
    this.view = { x: x - (w * scale - width) / 2, y: y - (h * scale - height) / 2,
      width: w * scale, height: h * scale };
    this.look();
  }

  point(event) {
    const box = this.stage.getBoundingClientRect();
    return [this.view.x + ((event.clientX - box.left) / box.width) * this.view.width,
      this.view.y + ((event.clientY - box.top) / box.height) * this.view.height];
  }

  gestures() {
    let from = null;
    let moved = false;
    this.stage.addEventListener("pointerdown", (event) => {
      from = { at: this.point(event), x: event.clientX, y: event.clientY };
      moved = false;
    });
    this.stage.addEventListener("pointermove", (event) => {
      if (!from || !(event.buttons & 1)) return;
      if (!moved && Math.hypot(event.clientX - from.x, event.clientY - from.y) < 4) return;
      moved = true;
      this.stage.setPointerCapture(event.pointerId);
      this.stage.classList.add("moving");
      const [x, y] = this.point(event);
      this.view.x += from.at[0] - x;
      this.view.y += from.at[1] - y;
      this.look();
    });
    const end = () => { from = null; this.stage.classList.remove("moving"); };
    this.stage.addEventListener("pointerup", end);
    this.stage.addEventListener("pointercancel", end);
    this.stage.addEventListener("click", (event) => {
      if (moved) return;
      const node = event.target.closest("g.is-enabled[data-id]");
      if (node) this.ask({ do: "fire", id: node.dataset.id });
    });
    this.stage.addEventListener("wheel", (event) => {
      if (!event.ctrlKey && !event.metaKey) return; // the page scrolls as ever
      event.preventDefault();
      this.zoom(event.deltaY > 0 ? 1.15 : 1 / 1.15, this.point(event));
    }, { passive: false });
    this.stage.addEventListener("dblclick", () => this.whole());
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target === this.slider) return;
    const game = this.model.get("state").kind === "game";
    const act = {
      "+": () => this.zoom(0.8),
      "-": () => this.zoom(1.25),
      "0": () => this.whole(),
      ...(game && {
        ArrowRight: () => this.onward(),
        ArrowLeft: () => this.ask({ do: "undo" }),
        u: () => this.ask({ do: "undo" }),
        r: () => this.ask({ do: "reset" }),
        p: () => this.playing(this.timer === null),
        Home: () => this.ask({ do: "seek", to: 0 }),
        End: () => this.ask({ do: "seek", to: this.model.get("state").length }),
      }),
    }[event.key];
    const node = event.target.closest?.("g[role=button]");
    if (node && (event.key === "Enter" || event.key === " ")) {
      this.ask({ do: "fire", id: node.dataset.id });
    } else if (act) {
      act();
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  }

  close() {
    this.playing(false);
    this.land();
    this.model.off("change:state", this.listen);
  }
}

function CSS_escape(id) {
  return window.CSS.escape ? window.CSS.escape(id) : id.replace(/["\\]/g, "\\$&");
}

function render({ model, el }) {
  const board = new Board(model, el);
  return () => board.close();
}

export default { render };
