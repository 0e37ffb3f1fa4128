// `make demo`: starts the chat and keeps it until Ctrl-C. With HEADLESS=1 it plays the story in the terminal instead.
import { stage, start } from './stack.js';
import { tell } from './story.js';

let chat;
let stopping = false;
async function stop(status) {
  if (stopping) return;
  stopping = true;
  await chat?.stop();
  process.exit(status);
}
process.stdout.on('error', () => stop(1)); // whoever read along is gone
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    console.log('');
    stage('stop', 'everything, in order');
    stop(0);
  });
}

try {
  chat = await start();
  if (process.env.HEADLESS === '1') {
    chat.ended.then((who) => stopping || console.error(`demo: ended by itself: ${who}`));
    await stop((await tell(chat)) ? 0 : 1);
  }
  console.log(`
  Open  ${chat.app}

  The certificate is made for this machine alone, so the browser asks once whether to trust it, for the
  page and again for the gateway; the page says when. Try alice in one tab, bob in another. Ctrl-C stops it.
  Configuration and logs: ${chat.directory}
`);
  const who = await chat.ended;
  if (!stopping) console.error(`demo: ended by itself: ${who}`);
  await stop(1);
} catch (error) {
  if (!stopping) console.error(`demo: ${error.message}`);
  await stop(1);
}
