// Draws what is loud when: the waveform of the mix, and a lane for each person. Colours come from
// the stylesheet, so that light and dark need no second drawing.

const BAR_PX = 3;
const BAR_GAP_PX = 1;
/** A whisper is not blown up to a shout. */
const FULL_MIN = 40;
/** The shortest word is still seen. */
const SEGMENT_MIN_PX = 2;
const HATCH_PX = 6;
/** Share of a lane's height. */
const SEGMENT_HEIGHT = 0.62;

/** `peaks` of the mix; `stops` are stretches in which the disk took nothing. */
export function drawWave(canvas, { peaks, durationMs, stops }) {
  const { pen, width, height, colour } = prepare(canvas);
  const size = { durationMs, width, height };
  for (const stop of stops) hatch(pen, boxOf(stop, size), colour("--lost"));
  pen.fillStyle = colour("--wave");
  drawBars(pen, { curve: peaks.mix, full: fullOf(peaks.mix), intervalMs: peaks.interval_ms,
    ...size });
}

/**
 * `person` as in call.json, `curve` his peaks, `segments` and `gaps` his own. `full` is the peak
 * that fills the height.
 */
export function drawLane(canvas, { person, curve, full, intervalMs, segments, gaps, durationMs }) {
  const { pen, width, height, colour } = prepare(canvas);
  const box = (span) => boxOf(span, { durationMs, width, height });
  for (const span of absences(person.present, durationMs)) {
    pen.fillStyle = colour("--away");
    const { x, w } = box(span);
    pen.fillRect(x, 0, w, height);
  }
  for (const span of person.muted) hatch(pen, box(span), colour("--hatch"));
  pen.save();
  pen.beginPath();
  for (const segment of segments) {
    const { x, w } = box(segment);
    const h = height * SEGMENT_HEIGHT;
    pen.roundRect(x, (height - h) / 2, Math.max(w, SEGMENT_MIN_PX), h, 3);
  }
  pen.fillStyle = colour("--spoke");
  pen.fill();
  pen.clip();
  pen.fillStyle = colour("--voice");
  drawBars(pen, { curve, full, intervalMs, durationMs, width, height: height * SEGMENT_HEIGHT,
    top: (height * (1 - SEGMENT_HEIGHT)) / 2 });
  pen.restore();
  pen.fillStyle = colour("--lost");
  for (const gap of gaps) {
    const { x, w } = box(gap);
    pen.fillRect(x, height - 4, Math.max(w, SEGMENT_MIN_PX), 4);
  }
}

/** The peak that fills the height. */
export function fullOf(curve) {
  return curve.reduce((most, peak) => Math.max(most, peak), FULL_MIN);
}

/** When somebody was not there, from when he was. Pure. */
export function absences(present, durationMs) {
  const away = [];
  let from_ms = 0;
  for (const span of [...present].sort((a, b) => a.from_ms - b.from_ms)) {
    if (span.from_ms > from_ms) away.push({ from_ms, to_ms: span.from_ms });
    from_ms = Math.max(from_ms, span.to_ms);
  }
  if (from_ms < durationMs) away.push({ from_ms, to_ms: durationMs });
  return away;
}

/** As many real pixels as the screen has, and a pen that counts in those of the stylesheet. */
function prepare(canvas) {
  const { clientWidth: width, clientHeight: height } = canvas;
  const dense = devicePixelRatio || 1;
  canvas.width = Math.round(width * dense);
  canvas.height = Math.round(height * dense);
  const pen = canvas.getContext("2d");
  pen.scale(dense, dense);
  const style = getComputedStyle(canvas);
  return { pen, width, height, colour: (name) => style.getPropertyValue(name) };
}

function boxOf({ from_ms, to_ms }, { durationMs, width, height }) {
  const scale = width / Math.max(1, durationMs);
  return { x: from_ms * scale, w: (to_ms - from_ms) * scale, h: height };
}

/** Bars around the middle; each is as high as the loudest moment under it. */
function drawBars(pen, { curve, full, intervalMs, durationMs, width, height, top = 0 }) {
  const msPerPx = durationMs / width;
  for (let x = 0; x < width; x += BAR_PX) {
    const from = Math.floor((x * msPerPx) / intervalMs);
    const to = Math.max(from + 1, Math.ceil(((x + BAR_PX) * msPerPx) / intervalMs));
    const peak = Math.max(0, ...curve.slice(from, to));
    const h = Math.max(1, (Math.min(peak, full) / full) * height);
    pen.fillRect(x, top + (height - h) / 2, BAR_PX - BAR_GAP_PX, h);
  }
}

function hatch(pen, { x, w, h }, colour) {
  pen.save();
  pen.beginPath();
  pen.rect(x, 0, w, h);
  pen.clip();
  pen.beginPath();
  for (let at = x - h; at < x + w; at += HATCH_PX) {
    pen.moveTo(at, h);
    pen.lineTo(at + h, 0);
  }
  pen.strokeStyle = colour;
  pen.lineWidth = 1.5;
  pen.stroke();
  pen.restore();
}
