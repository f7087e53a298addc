// A map of points on a canvas: drawn by WebGL, moved by mouse, touch and keys. It knows places and colours, and nothing of
// tracks, so that a page and the web app can both use it.
//
//   const map = new PointMap(canvas, overlay, places, 2);
//   map.setColours(colours);                 // Uint8Array of 4 numbers a point: red, green, blue, and how strongly it is drawn
//   map.onHover = (index, x, y) => ...;      // -1 where there is no point
//   map.onPick = (index) => ...;             // a click, or Enter
//   map.onLasso = (indices) => ...;          // points in the drawn line

const VERTEX = `
attribute vec3 place; attribute vec4 colour;
uniform mat3 turn; uniform vec2 centre, zoom; uniform float size;
varying vec4 shown;
void main() {
  vec3 turned = turn * place;
  gl_Position = vec4((turned.xy - centre) * zoom, 0.0, 1.0);
  gl_PointSize = colour.a > 0.0 ? size : 0.0;
  if (colour.a == 0.0) gl_Position = vec4(2.0, 2.0, 2.0, 1.0);
  shown = colour;
}`;
const FRAGMENT = `
precision mediump float;
varying vec4 shown;
void main() {
  vec2 off = gl_PointCoord - 0.5;
  if (dot(off, off) > 0.25) discard;
  gl_FragColor = vec4(shown.rgb * shown.a, shown.a);
}`;

// A frame that takes longer, in milliseconds, is too slow to be drawn while the map moves: its density is drawn instead.
export const SLOW = 33;
const STILL = 160; // milliseconds without a movement after which all points are drawn again
const REACH = 12; // pixels within which a pointer meets a point
const CELLS = 384; // of the picture of the density, along each side

export class PointMap {
  constructor(canvas, overlay, places, dims) {
    Object.assign(this, { canvas, overlay, dims, count: places.length / dims });
    this.places = new Float32Array(3 * this.count);
    for (let i = 0; i < this.count; i++)
      for (let d = 0; d < dims; d++) this.places[3 * i + d] = places[dims * i + d];
    this.colours = new Uint8Array(4 * this.count).fill(255);
    this.onHover = this.onPick = this.onLasso = this.onView = () => {};
    this.lassoing = false;
    this.focus = -1;
    this.frameTime = 0;
    this.turn = [1, 0, 0, 0, 1, 0, 0, 0, 1];
    this.#measureBounds();
    this.#begin();
    this.#listen();
    this.resize();
    this.whole();
  }

  // -- what is drawn

  setColours(colours) {
    this.colours = colours;
    this.densityPicture = null;
    const gl = this.gl;
    if (gl) {
      gl.bindBuffer(gl.ARRAY_BUFFER, this.colourBuffer);
      gl.bufferData(gl.ARRAY_BUFFER, colours, gl.STATIC_DRAW);
    }
    this.redraw();
  }

  isShown(index) {
    return this.colours[4 * index + 3] > 0;
  }

  // The whole map, or the points of a list, in the middle of the canvas.
  whole(indices) {
    let [left, right, low, high] = this.bounds;
    if (indices && indices.length) {
      [left, right, low, high] = [Infinity, -Infinity, Infinity, -Infinity];
      for (const i of indices) {
        const [x, y] = this.turned(i);
        if (Number.isNaN(x)) continue;
        left = Math.min(left, x); right = Math.max(right, x);
        low = Math.min(low, y); high = Math.max(high, y);
      }
      if (left > right) return;
      const least = 0.05 * this.width; // one point alone is not drawn as large as the canvas
      left -= least; right += least; low -= least; high += least;
    }
    this.centre = [(left + right) / 2, (low + high) / 2];
    const across = Math.max(right - left, 1e-9), up = Math.max(high - low, 1e-9);
    this.scale = 0.92 * Math.min(this.canvas.clientWidth / across, this.canvas.clientHeight / up);
    this.moved();
  }

  pan(x, y) {
    this.centre[0] -= x / this.scale;
    this.centre[1] += y / this.scale;
    this.moved();
  }

  zoom(factor, x = this.canvas.clientWidth / 2, y = this.canvas.clientHeight / 2) {
    const [before0, before1] = this.at(x, y);
    const widest = Math.min(this.canvas.clientWidth, this.canvas.clientHeight) / this.width;
    this.scale = Math.min(Math.max(this.scale * factor, 0.2 * widest), 1e5 * widest);
    const [after0, after1] = this.at(x, y);
    this.centre[0] += before0 - after0;
    this.centre[1] += before1 - after1;
    this.moved();
  }

  // Turn a map of three dimensions, by angles about its upright axis and about the one from left to right.
  rotate(about, over) {
    if (this.dims < 3) return;
    const [ca, sa, co, so] = [Math.cos(about), Math.sin(about), Math.cos(over), Math.sin(over)];
    const by = [[ca, 0, sa], [so * sa, co, -so * ca], [-co * sa, so, co * ca]];
    const t = this.turn; // by columns, as WebGL has it
    const next = [];
    for (let column = 0; column < 3; column++)
      for (let row = 0; row < 3; row++)
        next.push(by[row][0] * t[3 * column] + by[row][1] * t[3 * column + 1] + by[row][2] * t[3 * column + 2]);
    this.turn = next;
    this.densityPicture = null;
    this.moved();
  }

  resize() {
    const ratio = Math.min(window.devicePixelRatio || 1, 2);
    for (const each of [this.canvas, this.overlay]) {
      each.width = Math.max(1, Math.round(this.canvas.clientWidth * ratio));
      each.height = Math.max(1, Math.round(this.canvas.clientHeight * ratio));
    }
    this.ratio = ratio;
    this.redraw();
  }

  moved() {
    this.lastMoved = performance.now();
    this.onView();
    this.redraw();
  }

  redraw() {
    if (this.asked) return;
    this.asked = true;
    requestAnimationFrame(() => {
      this.asked = false;
      this.draw();
    });
  }

  get isSlow() {
    return this.frameTime > SLOW;
  }

  draw() {
    if (!this.scale) return;
    const began = performance.now();
    const moving = began - (this.lastMoved ?? -1e9) < STILL;
    // The first picture is the density too: it is there before the points are.
    const rough = this.dims === 2 && (!this.drawn || (moving && this.isSlow));
    this.canvas.style.visibility = rough || !this.gl ? "hidden" : "visible";
    const pen = this.overlay.getContext("2d");
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.clearRect(0, 0, this.overlay.width, this.overlay.height);
    pen.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    if (rough) this.#drawDensity(pen);
    else if (this.gl) this.#drawPoints();
    else this.#drawSlowly(pen);
    this.#drawMarks(pen);
    const first = !this.drawn;
    this.drawn = true;
    this.firstDrawn ??= performance.now();
    if (!rough) this.#timed(performance.now() - began);
    if (first || this.frameTime === 0) setTimeout(() => this.redraw());
    else if (rough) {
      clearTimeout(this.later);
      this.later = setTimeout(() => this.redraw(), STILL);
    }
  }

  // How long a frame takes, in milliseconds; the first does not count, in which the programs are made ready.
  #timed(took) {
    if (this.ready) this.frameTime = this.frameTime ? 0.7 * this.frameTime + 0.3 * took : took || 0.1;
    this.ready = true;
  }

  // -- where points are

  turned(index) {
    const [x, y, z] = this.places.subarray(3 * index, 3 * index + 3);
    const t = this.turn;
    return [t[0] * x + t[3] * y + t[6] * z, t[1] * x + t[4] * y + t[7] * z];
  }

  // The pixel of a point.
  pixel(index) {
    const [x, y] = this.turned(index);
    return [
      (x - this.centre[0]) * this.scale + this.canvas.clientWidth / 2,
      this.canvas.clientHeight / 2 - (y - this.centre[1]) * this.scale,
    ];
  }

  // The pixels of all points, x and y in turn; kept until the view changes.
  #pixels() {
    const w = this.canvas.clientWidth / 2, h = this.canvas.clientHeight / 2, t = this.turn, p = this.places;
    const view = [...this.centre, this.scale, w, h, ...t].join();
    if (view === this.pixelsOf) return this.allPixels;
    const [x0, y0] = this.centre, found = (this.allPixels ??= new Float32Array(2 * this.count));
    for (let i = 0; i < this.count; i++) {
      const [x, y, z] = [p[3 * i], p[3 * i + 1], p[3 * i + 2]];
      found[2 * i] = (t[0] * x + t[3] * y + t[6] * z - x0) * this.scale + w;
      found[2 * i + 1] = h - (t[1] * x + t[4] * y + t[7] * z - y0) * this.scale;
    }
    this.pixelsOf = view;
    return found;
  }

  // The place on the map of a pixel.
  at(x, y) {
    return [
      (x - this.canvas.clientWidth / 2) / this.scale + this.centre[0],
      (this.canvas.clientHeight / 2 - y) / this.scale + this.centre[1],
    ];
  }

  // The point that is nearest to a pixel, or -1.
  nearest(x, y, reach = REACH) {
    const pixels = this.#pixels();
    let best = -1, least = reach * reach;
    for (let i = 0; i < this.count; i++) {
      const squared = (pixels[2 * i] - x) ** 2 + (pixels[2 * i + 1] - y) ** 2;
      if (squared < least && this.isShown(i)) [best, least] = [i, squared];
    }
    return best;
  }

  // The points that are drawn and lie in a closed line of pixels.
  within(line) {
    const found = [], pixels = this.#pixels();
    for (let i = 0; i < this.count; i++) {
      if (!this.isShown(i)) continue;
      const x = pixels[2 * i], y = pixels[2 * i + 1];
      let inside = false;
      for (let j = 0, k = line.length - 1; j < line.length; k = j++) {
        const [ax, ay] = line[j], [bx, by] = line[k];
        if (ay > y !== by > y && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) inside = !inside;
      }
      if (inside) found.push(i);
    }
    return found;
  }

  inView() {
    const [w, h] = [this.canvas.clientWidth, this.canvas.clientHeight];
    return this.within([[0, 0], [w, 0], [w, h], [0, h]]);
  }

  // -- within

  #measureBounds() {
    let bounds = [Infinity, -Infinity, Infinity, -Infinity];
    const middle = [0, 0, 0];
    let placed = 0;
    for (let i = 0; i < this.count; i++) {
      if (Number.isNaN(this.places[3 * i])) continue;
      placed++;
      for (let d = 0; d < 3; d++) middle[d] += this.places[3 * i + d];
    }
    for (let i = 0; i < this.count; i++) {
      // A map of three dimensions turns about its middle.
      if (this.dims === 3) for (let d = 0; d < 3; d++) this.places[3 * i + d] -= middle[d] / Math.max(placed, 1);
      const [x, y] = [this.places[3 * i], this.places[3 * i + 1]];
      if (Number.isNaN(x)) continue;
      bounds = [Math.min(bounds[0], x), Math.max(bounds[1], x), Math.min(bounds[2], y), Math.max(bounds[3], y)];
    }
    this.bounds = placed ? bounds : [-1, 1, -1, 1];
    this.width = Math.max(this.bounds[1] - this.bounds[0], this.bounds[3] - this.bounds[2]) || 1;
    if (this.bounds[1] === this.bounds[0] && this.bounds[3] === this.bounds[2]) {
      this.bounds = [this.bounds[0] - 1, this.bounds[0] + 1, this.bounds[2] - 1, this.bounds[2] + 1];
    }
    this.placed = placed;
  }

  #begin() {
    const gl = (this.gl = this.canvas.getContext("webgl", { antialias: false, preserveDrawingBuffer: true }));
    if (!gl) return;
    const program = gl.createProgram();
    for (const [kind, text] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]]) {
      const shader = gl.createShader(kind);
      gl.shaderSource(shader, text);
      gl.compileShader(shader);
      gl.attachShader(program, shader);
    }
    gl.linkProgram(program);
    gl.useProgram(program);
    const shown = new Float32Array(this.places.length);
    for (let i = 0; i < shown.length; i++) shown[i] = Number.isNaN(this.places[i]) ? 0 : this.places[i];
    this.#attribute(program, "place", shown, 3, gl.FLOAT, false);
    this.colourBuffer = this.#attribute(program, "colour", this.colours, 4, gl.UNSIGNED_BYTE, true);
    this.uniforms = Object.fromEntries(
      ["turn", "centre", "zoom", "size"].map((name) => [name, gl.getUniformLocation(program, name)]),
    );
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    this.canvas.addEventListener("webglcontextlost", (event) => {
      event.preventDefault();
      this.gl = null; // the points are drawn without it from here on
      this.redraw();
    });
  }

  #attribute(program, name, values, size, type, normalised) {
    const gl = this.gl, buffer = gl.createBuffer(), where = gl.getAttribLocation(program, name);
    gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
    gl.bufferData(gl.ARRAY_BUFFER, values, gl.STATIC_DRAW);
    gl.enableVertexAttribArray(where);
    gl.vertexAttribPointer(where, size, type, normalised, 0, 0);
    return buffer;
  }

  get pointSize() {
    const room = Math.sqrt((this.canvas.clientWidth * this.canvas.clientHeight) / Math.max(this.placed, 1));
    const zoomed = Math.sqrt((this.scale * this.width) / Math.min(this.canvas.clientWidth, this.canvas.clientHeight));
    return Math.min(Math.max(0.35 * room * zoomed, 2.5), 9);
  }

  #drawPoints() {
    const gl = this.gl, { width, height } = this.canvas;
    gl.viewport(0, 0, width, height);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT);
    gl.uniformMatrix3fv(this.uniforms.turn, false, this.turn);
    gl.uniform2f(this.uniforms.centre, ...this.centre);
    gl.uniform2f(this.uniforms.zoom, (2 * this.scale * this.ratio) / width, (2 * this.scale * this.ratio) / height);
    gl.uniform1f(this.uniforms.size, this.pointSize * this.ratio);
    gl.drawArrays(gl.POINTS, 0, this.count);
    // Wait for the picture, so that the time of a frame is the time that it takes.
    gl.readPixels(0, 0, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, new Uint8Array(4));
  }

  #drawSlowly(pen) {
    const size = this.pointSize;
    for (let i = 0; i < this.count; i++) {
      if (!this.isShown(i)) continue;
      const [x, y] = this.pixel(i);
      pen.fillStyle = `rgba(${this.colours.subarray(4 * i, 4 * i + 3).join()},${this.colours[4 * i + 3] / 255})`;
      pen.fillRect(x - size / 2, y - size / 2, size, size);
    }
  }

  // A small picture of how many points lie where, in their mean colour; made once, and moved and scaled from then on.
  #density() {
    const sums = new Float32Array(4 * CELLS * CELLS), [left, right, low, high] = this.bounds;
    for (let i = 0; i < this.count; i++) {
      if (!this.isShown(i) || Number.isNaN(this.places[3 * i])) continue;
      const x = Math.min(CELLS - 1, Math.floor(((this.places[3 * i] - left) / (right - left || 1)) * CELLS));
      const y = Math.min(CELLS - 1, Math.floor(((high - this.places[3 * i + 1]) / (high - low || 1)) * CELLS));
      const cell = 4 * (y * CELLS + x);
      for (let c = 0; c < 3; c++) sums[cell + c] += this.colours[4 * i + c];
      sums[cell + 3]++;
    }
    const picture = document.createElement("canvas");
    picture.width = picture.height = CELLS;
    const pen = picture.getContext("2d"), pixels = pen.createImageData(CELLS, CELLS);
    for (let cell = 0; cell < sums.length; cell += 4) {
      const points = sums[cell + 3];
      if (!points) continue;
      for (let c = 0; c < 3; c++) pixels.data[cell + c] = sums[cell + c] / points;
      pixels.data[cell + 3] = 255 * (1 - 0.45 / points);
    }
    pen.putImageData(pixels, 0, 0);
    return picture;
  }

  #drawDensity(pen) {
    this.densityPicture ??= this.#density();
    const [left, right, low, high] = this.bounds;
    const x = (left - this.centre[0]) * this.scale + this.canvas.clientWidth / 2;
    const y = this.canvas.clientHeight / 2 - (high - this.centre[1]) * this.scale;
    pen.imageSmoothingEnabled = true;
    pen.drawImage(this.densityPicture, x, y, (right - left) * this.scale, (high - low) * this.scale);
  }

  #drawMarks(pen) {
    const ink = getComputedStyle(this.canvas).color;
    if (this.focus >= 0 && !Number.isNaN(this.places[3 * this.focus])) {
      const [x, y] = this.pixel(this.focus);
      pen.strokeStyle = ink;
      pen.lineWidth = 2;
      pen.beginPath();
      pen.arc(x, y, this.pointSize / 2 + 4, 0, 2 * Math.PI);
      pen.stroke();
    }
    if (this.line?.length) {
      pen.strokeStyle = ink;
      pen.lineWidth = 1.5;
      pen.setLineDash([5, 4]);
      pen.beginPath();
      this.line.forEach(([x, y]) => pen.lineTo(x, y));
      pen.closePath();
      pen.stroke();
      pen.setLineDash([]);
    }
  }

  #listen() {
    const down = new Map();
    let travelled = 0;
    const spot = (event) => {
      const box = this.canvas.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    };
    const area = this.overlay; // it lies above the points
    area.addEventListener("pointerdown", (event) => {
      area.setPointerCapture(event.pointerId);
      down.set(event.pointerId, spot(event));
      travelled = 0;
      if (this.lassoing && down.size === 1) this.line = [spot(event)];
    });
    area.addEventListener("pointermove", (event) => {
      const [x, y] = spot(event), before = down.get(event.pointerId);
      if (!before) {
        this.onHover(this.nearest(x, y), x, y);
        return;
      }
      const [dx, dy] = [x - before[0], y - before[1]];
      travelled += Math.abs(dx) + Math.abs(dy);
      if (this.line && down.size === 1) {
        this.line.push([x, y]);
        this.redraw();
      } else if (down.size === 2) {
        this.line = null; // two fingers never draw
        const other = [...down].find(([id]) => id !== event.pointerId)[1];
        const was = Math.hypot(before[0] - other[0], before[1] - other[1]);
        const is = Math.hypot(x - other[0], y - other[1]);
        if (was > 0) this.zoom(is / was, (x + other[0]) / 2, (y + other[1]) / 2);
        this.pan(dx / 2, dy / 2);
      } else if (this.dims === 3 && !event.shiftKey) this.rotate(dx / 150, dy / 150);
      else this.pan(dx, dy);
      down.set(event.pointerId, [x, y]);
    });
    const up = (event) => {
      if (!down.delete(event.pointerId)) return;
      const [x, y] = spot(event);
      if (this.line) {
        const line = this.line;
        this.line = null;
        this.redraw();
        if (line.length > 2) this.onLasso(this.within(line));
      } else if (event.type === "pointerup" && travelled < 5 && !down.size) {
        const index = this.nearest(x, y, event.pointerType === "touch" ? 2 * REACH : REACH);
        this.onHover(index, x, y);
        if (index >= 0) this.onPick(index);
      }
    };
    area.addEventListener("pointerup", up);
    area.addEventListener("pointercancel", up);
    area.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && this.onHover(-1));
    area.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0018)), ...spot(event));
    }, { passive: false });
    area.addEventListener("keydown", (event) => this.#key(event));
    new ResizeObserver(() => this.resize()).observe(this.canvas);
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const step = 60, turn = 0.15;
    const arrows = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
    const others = { "+": () => this.zoom(1.3), "=": () => this.zoom(1.3), "-": () => this.zoom(1 / 1.3), 0: () => this.whole() };
    if (event.key in arrows) {
      const [x, y] = arrows[event.key];
      if (this.dims === 3 && !event.shiftKey) this.rotate(-x * turn, -y * turn);
      else this.pan(x * step, y * step);
    } else if (event.key in others) others[event.key]();
    else return;
    event.preventDefault();
  }
}
