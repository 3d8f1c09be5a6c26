// The pack's templates in the order of their numbers, and the files that two of them read: they are uploaded into the
// input folder when such a template is opened, so that nothing in it is red.

import { app } from "../../../scripts/app.js";
import { api } from "../../../scripts/api.js";
import { offerNewFiles, upload } from "./shared/host.mjs";

const INPUTS = { SynCamLoadRig: "file", LoadVideo: "file" };
const EXAMPLES = ["syncam_transforms.json", "syncam_demo_cameras.json", "syncam_demo_clip.mp4"];

/** The pack's folder, as the host calls it: this script lies in /extensions/<folder>/js. */
const PACK = decodeURIComponent(new URL(import.meta.url).pathname.split("/extensions/")[1].split("/")[0]);

const byNumber = (one, other) => one.localeCompare(other, "en", { numeric: true });

async function isThere(filename) {
  const answer = await api.fetchApi(`/view?${new URLSearchParams({ filename, type: "input" })}`, { method: "HEAD" });
  return answer.ok;
}

async function bring(filename) {
  const answer = await fetch(api.apiURL(`/workflow_templates/${encodeURIComponent(PACK)}/input/${filename}`));
  if (answer.ok) await upload(new File([await answer.blob()], filename));
}

/** The example files that a workflow reads. */
function examplesIn(workflow) {
  const named = (workflow.nodes ?? [])
    .filter(({ type }) => type in INPUTS)
    .flatMap(({ widgets_values: values }) => (Array.isArray(values) ? values : Object.values(values ?? {})));
  return EXAMPLES.filter((name) => named.includes(name));
}

app.registerExtension({
  name: "syncam.Templates",
  setup() {
    const { getWorkflowTemplates } = api;
    api.getWorkflowTemplates = async function () {
      const all = await getWorkflowTemplates.call(this);
      // Those without a number are the names that the files had before they got titles, links to the same files.
      if (all[PACK]) all[PACK] = all[PACK].filter((title) => /^\d/.test(title)).sort(byNumber);
      return all;
    };
  },
  async beforeConfigureGraph(workflow) {
    try {
      const missing = [];
      for (const name of examplesIn(workflow)) if (!(await isThere(name))) missing.push(name);
      if (!missing.length) return;
      await Promise.all(missing.map(bring));
      await offerNewFiles();
    } catch (error) {
      console.error("SynCam templates", error); // the host says which file is missing
    }
  },
});
