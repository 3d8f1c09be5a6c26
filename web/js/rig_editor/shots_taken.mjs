// What the cameras have really filmed: the first frame of each generated view, on its card until something is edited.

/** The first picture of a video. @param {string} url @returns {Promise<HTMLVideoElement>} that shows it */
function firstFrame(url) {
  const video = Object.assign(document.createElement("video"), { muted: true, preload: "auto", src: url });
  return new Promise((resolve, reject) => {
    video.onloadeddata = () => resolve(video);
    video.onerror = () => reject(new Error(`${url} cannot be played`));
  });
}

/**
 * @param {import("./editor.mjs").Editor} editor
 * @param {string[]} urls of the videos, in the order of the cameras that are filmed
 */
export async function showTaken(editor, urls) {
  const { doc } = editor.store;
  const filmed = doc.cameras.flatMap(({ name }, index) => (editor.leftOut.includes(name) ? [] : [index]));
  if (filmed.length !== urls.length) return;
  await Promise.allSettled(
    urls.map(async (url, at) => {
      const video = await firstFrame(url);
      if (editor.store.doc === doc && !editor.gone.signal.aborted) editor.list.showTaken(filmed[at], video);
      video.removeAttribute("src");
      video.load(); // lets go of the file
    }),
  );
}
