// How a page listens in Firefox, which without a sound device (headless) lets no AudioContext run:
// it records what is played for a moment, decodes the recording and measures that.

/** Sound that one look covers. */
const LOOK_MS = 200;
const RATE = 48000;

/** Of the last 85 ms of a moment that begins now: see `measure`. */
async function listen(track) {
  const recorder = new MediaRecorder(new MediaStream([track]));
  const parts = [];
  recorder.ondataavailable = ({ data }) => parts.push(data);
  const stopped = new Promise((resolve) => { recorder.onstop = resolve; });
  recorder.start();
  await new Promise((resolve) => { setTimeout(resolve, LOOK_MS); });
  recorder.stop();
  await stopped;
  const recording = await new Blob(parts).arrayBuffer();
  const buffer = await new OfflineAudioContext(1, 1, RATE).decodeAudioData(recording);
  const context = new OfflineAudioContext(1, buffer.length, RATE);
  const source = new AudioBufferSourceNode(context, { buffer });
  const analyser = new AnalyserNode(context, ANALYSER);
  source.connect(analyser).connect(context.destination);
  source.start();
  await context.startRendering();
  return measure(analyser);
}
