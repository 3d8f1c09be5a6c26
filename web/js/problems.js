// Shows the sentence of a mistake on the node that it is about, in both node renderers: what was refused when a workflow
// was queued, and what stopped it while it ran. The host shows these two clicks deep, or inside a report with a trace.

import { app } from "../../../scripts/app.js";
import { api } from "../../../scripts/api.js";
import { nodeOf, outermostOf, textsOf } from "./shared/host.mjs";
import { showWords } from "./shared/node_text.mjs";

const NAME = "problem";
const OURS = /^SynCam\w*: /;

const SILENCED = { 2: "muted", 4: "bypassed" }; // by the host's modes of nodes

const shown = new Set(); // nodes that show a sentence
const words = { of: (key) => key };

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

function show(inner, id, sentence) {
  const outer = inner?.graph === (app.rootGraph ?? app.graph) ? inner : outermostOf(id);
  for (const node of new Set([inner, outer])) {
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

/** The muted or bypassed node that the wire of an input comes from: the host says only that the input is missing. */
function silencedBefore(node, name) {
  const link = node?.graph?.getLink?.(node.inputs?.find((input) => input.name === name)?.link);
  const origin = link ? node.graph.getNodeById(link.origin_id) : null;
  return origin && origin.mode in SILENCED ? origin : null;
}

/** A refusal as a sentence; what another pack's node lacks of a silenced node of ours is said on ours. */
function judged(id, kind, error) {
  const node = nodeOf(id);
  const input = error.extra_info?.input_name;
  const origin = error.type === "required_input_missing" ? silencedBefore(node, input) : null;
  if (kind.startsWith("SynCam")) {
    const told = origin && words.of(SILENCED[origin.mode], { input, node: origin.getTitle() });
    return { node, sentence: told ?? sentenceOf(error) };
  }
  if (!origin?.comfyClass?.startsWith("SynCam")) return null;
  return { node: origin, sentence: words.of(`${SILENCED[origin.mode]}Here`, { input, node: node.getTitle() }) };
}

function showRefusals(refusals) {
  const byNode = new Map();
  for (const [id, { errors = [], class_type: kind = "" }] of Object.entries(refusals ?? {}))
    for (const said of errors.map((error) => judged(id, kind, error)).filter(Boolean)) {
      const of = byNode.get(said.node ?? id) ?? { ...said, id, all: new Set() };
      byNode.set(said.node ?? id, of);
      of.all.add(said.sentence);
    }
  for (const { node, id, all } of byNode.values()) show(node, id, [...all].join("\n"));
}

app.registerExtension({
  name: "syncam.Problems",
  setup() {
    textsOf("syncamProblems").then((t) => (words.of = t));
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
      if (OURS.test(sentence) || (kind.startsWith("SynCam") && sentence)) show(nodeOf(id), id, sentence);
    });
    api.addEventListener("graphCleared", () => shown.clear());
  },
});
