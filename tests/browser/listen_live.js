// How a page listens in Chromium: to what is played, as it is played.

/** Sound that one look covers. */
const LOOK_MS = 50;

let context = null;
const analysers = new WeakMap();

/** Of the last 85 ms: see `measure`. */
function listen(track) {
  context ??= new AudioContext();
  if (!analysers.has(track)) {
    const analyser = new AnalyserNode(context, ANALYSER);
    context.createMediaStreamSource(new MediaStream([track])).connect(analyser);
    analysers.set(track, analyser);
  }
  return measure(analysers.get(track));
}
