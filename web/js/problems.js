// Shows the sentence of a mistake on the node that it is about, in both node renderers: what was refused when a workflow
// was queued, and what stopped it while it ran. The host shows these two clicks deep, or inside a report with a trace.

import { app } from "../../../scripts/app.js";
import { api } from "../../../scripts/api.js";
import { nodeOf, outermostOf } from "./shared/host.mjs";
import { showWords } from "./shared/node_text.mjs";

const NAME = "problem";
const OURS = /^SynCam\w*: /;

const shown = new Set(); // nodes that show a sentence

/** The sentence with the inputs called as they are called on the node, and without the id of the node itself. */
function asOnTheNode(node, sentence) {
  const labels = new Map();
  for (const { name, label, localized_name: localized } of [...(node.inputs ?? []), ...(node.widgets ?? [])]) {
    const seen = label || localized;
    if (seen && seen !== name) labels.set(name, seen);
  }
  const text = sentence.startsWith(`${node.comfyClass}: `) ? sentence.slice(node.comfyClass.length + 2) : sentence;
  return text.replace(/'(\w+)'/g, (whole, name) => (labels.has(name) ? `'${labels.get(name)}'` : whole));
}

function show(id, sentence) {
  const inner = nodeOf(id);
  for (const node of new Set([inner, outermostOf(id)])) {
    if (!node) continue;
    showWords(node, NAME, "Problem", asOnTheNode(inner ?? node, sentence), "alert");
    shown.add(node);
  }
}

function clear() {
  for (const node of shown) showWords(node, NAME, "Problem", "", "alert");
  shown.clear();
}

/** What the host says of one input, as a sentence: ours stands behind the input's name in the details. */
function sentenceOf({ type, message, details = "", extra_info: { input_name: input } = {} }) {
  if (type === "custom_validation_failed") return details.replace(`${input} - `, "");
  return details ? `${message}: ${details}.` : message;
}

function showRefusals(refusals) {
  for (const [id, { errors = [], class_type: kind = "" }] of Object.entries(refusals ?? {})) {
    const sentences = [...new Set(errors.map(sentenceOf))];
    if (kind.startsWith("SynCam") && sentences.length) show(id, sentences.join("\n"));
  }
}

app.registerExtension({
  name: "syncam.Problems",
  setup() {
    const { queuePrompt } = api;
    api.queuePrompt = async function (...given) {
      clear();
      try {
        const answer = await queuePrompt.apply(this, given);
        showRefusals(answer?.node_errors);
        return answer;
      } catch (error) {
        showRefusals(error?.response?.node_errors);
        throw error;
      }
    };
    api.addEventListener("execution_error", ({ detail }) => {
      const { node_id: id, node_type: kind = "", exception_message: message = "" } = detail ?? {};
      const sentence = String(message).trim();
      if (OURS.test(sentence) || (kind.startsWith("SynCam") && sentence)) show(id, sentence);
    });
    api.addEventListener("graphCleared", () => shown.clear());
  },
});
