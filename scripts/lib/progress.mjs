/** One line that lives while something takes its time: a spinner on a terminal, plain lines elsewhere. */

const FRAMES = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
const FRAME_MS = 100;
const PLAIN_LINE_MS = 15_000;

function seconds(since) {
  return `${Math.round((performance.now() - since) / 1000)} s`;
}

/** @returns {{ end(result: string): void }} `end` replaces the spinner by a last line. */
export function startProgress(label, out = process.stderr) {
  const since = performance.now();
  let timer;
  if (out.isTTY) {
    let frame = 0;
    timer = setInterval(() => {
      out.write(`\r\x1b[2K${FRAMES[frame++ % FRAMES.length]} ${label} (${seconds(since)})`);
    }, FRAME_MS);
  } else {
    out.write(`… ${label}\n`);
    timer = setInterval(() => out.write(`… ${label} (${seconds(since)})\n`), PLAIN_LINE_MS);
  }
  return {
    end(result) {
      clearInterval(timer);
      out.write(`${out.isTTY ? '\r\x1b[2K' : ''}${result} ${label} (${seconds(since)})\n`);
    },
  };
}
