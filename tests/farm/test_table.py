"""Tables of jobs: columns that are inputs of a workflow, cells that fit them, names, ids and grids."""

from __future__ import annotations

import csv
import io
import json
import socket
from pathlib import Path

import pytest

from syncam_core.errors import UserError
from syncam_core.farm.__main__ import main
from syncam_core.farm.ledger import Entry, Ledger
from syncam_core.farm.table import BadRow, Job, jobs_of, read_rows, seeds_of
from syncam_core.farm.workflow import Place, Workflow, parsed

EXAMPLES = Path(__file__).resolve().parents[2] / "example_workflows"
DEMO = EXAMPLES / "api" / "syncam_demo.json"


@pytest.fixture
def demo() -> Workflow:
    return Workflow.read(DEMO)


def one(workflow: Workflow, **row: str) -> Job | BadRow:
    return jobs_of(workflow, [{key.replace("__", "."): value for key, value in row.items()}], Path())[0]


def test_a_column_is_a_title_and_an_input(demo):
    assert demo.places("Prompt.text") == [Place("5", "text")]
    assert demo.places("Negative prompt.text") == [Place("6", "text")]
    assert demo.places("5.text") == [Place("5", "text")]
    assert demo.places("*.seed") == [Place("8", "seed")]
    assert demo.prompt_column() == "Prompt.text"


def test_dots_in_titles_and_in_inputs_are_told_apart():
    graph = {
        "1": {"class_type": "A", "inputs": {"views.view0": 1, "x": 2}, "_meta": {"title": "v1.5 model"}},
        "2": {"class_type": "B", "inputs": {"5 model.x": 3}, "_meta": {"title": "v1"}},
    }
    assert Workflow(graph).places("v1.5 model.views.view0") == [Place("1", "views.view0")]
    assert Workflow(graph).places("v1.5 model.x") == [Place("1", "x")]


@pytest.mark.parametrize(
    ("column", "sentence"),
    [
        ("Prompt.txt", "no input 'Prompt.txt'; possible are name, rig, \\*.seed, Four cameras around.azimuths"),
        ("SynCam Sampler.model", "fed by a wire"),
        ("rig", "needs one SynCam Rig JSON or SynCam Rig Editor in the workflow, here are 0"),
        ("steps", "no input 'steps'"),
    ],
)
def test_a_column_that_the_workflow_lacks_is_refused_before_anything(demo, column, sentence):
    with pytest.raises(UserError, match=sentence):
        jobs_of(demo, [{column: "1"}], Path())


def test_two_nodes_of_one_title_are_told_apart_by_their_ids():
    node = {"class_type": "CLIPTextEncode", "inputs": {"text": ""}, "_meta": {"title": "Text"}}
    workflow = Workflow({"4": node, "9": node})
    with pytest.raises(UserError, match=r"fits 2 nodes; write '4\.text', '9\.text'"):
        workflow.places("Text.text")
    assert workflow.places("9.text") == [Place("9", "text")]


def test_a_job_is_the_workflow_with_its_values(demo):
    job = one(demo, name="shot", Prompt__text="a cone", **{"SynCam Sampler__cfg": "3.5", "*__seed": "7"})
    assert isinstance(job, Job)
    assert job.name == "shot"
    expected = json.loads(DEMO.read_text())
    expected["5"]["inputs"]["text"] = "a cone"
    expected["8"]["inputs"] |= {"cfg": 3.5, "seed": 7}
    assert job.graph == expected
    assert demo.graph == json.loads(DEMO.read_text())


def test_an_empty_cell_leaves_what_the_workflow_says(demo):
    assert one(demo, Prompt__text="").graph == demo.graph


@pytest.mark.parametrize(
    ("text", "like", "value"),
    [
        ("3", 1, 3),
        ("3.5", 1, 3.5),
        ("3", 1.5, 3),
        ("1e2", 1.5, 100.0),
        ("yes", False, True),
        ("0", True, False),
        (" a ", "b", " a "),
    ],
)
def test_cells_become_what_the_workflow_holds(text, like, value):
    assert parsed(text, like, "x") == value
    assert type(parsed(text, like, "x")) is type(value)


@pytest.mark.parametrize(("text", "like"), [("abc", 1), ("", 1.0), ("nan", 1.0), ("inf", 1), ("perhaps", True)])
def test_cells_that_do_not_fit_are_a_bad_row(text, like):
    with pytest.raises(UserError, match="'x' is"):
        parsed(text, like, "x")


def test_one_bad_row_leaves_the_others(demo):
    good, bad = jobs_of(demo, [{"SynCam Sampler.steps": "5"}, {"SynCam Sampler.steps": "many"}], Path())
    assert isinstance(good, Job)
    assert isinstance(bad, BadRow)
    assert bad.name == "2"
    assert bad.sentence == "'SynCam Sampler.steps' is 'many'; a number is needed, like 20."


def test_a_rig_column_takes_any_camera_file():
    rigs = Workflow.read(EXAMPLES / "api" / "rig_json.json")
    file = EXAMPLES / "input" / "syncam_demo_cameras.json"
    job, missing = jobs_of(rigs, [{"rig": file.name}, {"rig": "none.json"}], file.parent)
    assert len(json.loads(job.graph["1"]["inputs"]["rig_json"])["cameras"]) > 1
    assert isinstance(missing, BadRow)
    assert "none.json" in missing.sentence


def test_ids_come_from_name_and_values_and_from_nothing_else(demo):
    first, again = one(demo, name="a", Prompt__text="x"), one(demo, name="a", Prompt__text="x")
    assert first.id == again.id
    renamed = json.loads(DEMO.read_text())
    renamed["5"]["_meta"]["title"] = "Words"
    assert jobs_of(Workflow(renamed), [{"name": "a", "Words.text": "x"}], Path())[0].id == first.id
    assert len({first.id, one(demo, name="b", Prompt__text="x").id, one(demo, name="a", Prompt__text="y").id}) == 3


def test_names_are_folders_of_their_own(demo):
    with pytest.raises(UserError, match="two rows have the name 'A'"):
        jobs_of(demo, [{"name": "a"}, {"name": "A"}], Path())
    assert "leads out" in one(demo, name="../x").sentence
    jobs = jobs_of(demo, [{"Prompt.text": "Élan vital!"}] * 11, Path())
    assert [job.name for job in jobs[:2]] == ["01_Elan-vital", "02_Elan-vital"]


def test_a_table_is_read_as_spreadsheets_write_it(tmp_path):
    (tmp_path / "a.csv").write_bytes('\ufeffname,Prompt.text\r\none,"a, b\nc"\r\n\r\ntwo,d\r\n'.encode())
    rows = read_rows(tmp_path / "a.csv")
    assert rows == [{"name": "one", "Prompt.text": "a, b\nc"}, {"name": "two", "Prompt.text": "d"}]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [("", "is empty"), ("a,b\n", "no row"), ("a,a\n1,2\n", "has a twice"), ("a,b\n1,2,3\n", "line 2: 3 cells under 2")],
)
def test_a_table_that_is_none_is_refused_in_a_sentence(tmp_path, text, sentence):
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(UserError, match=sentence):
        read_rows(tmp_path / "a.csv")


def test_a_grid_has_every_prompt_with_every_rig_and_seed(tmp_path, capsys):
    (tmp_path / "p.txt").write_text("a, b\n\nc\n")
    for rig in "xy":
        (tmp_path / f"{rig}.json").write_text("{}")
    api = str(EXAMPLES / "api" / "rig_json.json")
    graph = json.loads(Path(api).read_text())
    graph["7"] = {"class_type": "KSampler", "inputs": {"seed": 0, "positive": ["8", 0]}, "_meta": {"title": "K"}}
    graph["8"] = {"class_type": "CLIPTextEncode", "inputs": {"text": ""}, "_meta": {"title": "Words"}}
    (tmp_path / "w.json").write_text(json.dumps(graph))
    arguments = ["grid", "--workflow", str(tmp_path / "w.json"), "--prompts", str(tmp_path / "p.txt")]
    assert main([*arguments, "--rigs", str(tmp_path / "[xy].json"), "--seeds", "0-1, 5"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert len(rows) == 2 * 2 * 3
    assert {(r["Words.text"], Path(r["rig"]).stem, r["*.seed"]) for r in rows} == {
        (p, rig, seed) for p in ("a, b", "c") for rig in "xy" for seed in "015"
    }


def test_seeds_are_numbers_and_ranges():
    assert seeds_of("0-3, 7") == [0, 1, 2, 3, 7]
    for wrong in ("3-1", "a", "0-99999999", "-1"):
        with pytest.raises(UserError, match="write numbers and ranges"):
            seeds_of(wrong)


def test_the_canvas_own_format_is_told_from_the_apis():
    with pytest.raises(UserError, match="Export \\(API\\)"):
        Workflow.read(next(EXAMPLES.glob("01 *.json")))
    with pytest.raises(UserError, match="no workflow in API format"):
        Workflow.read(EXAMPLES / "input" / "syncam_demo_cameras.json")


def test_a_killed_farms_last_line_is_passed_over(tmp_path):
    ledger = Ledger(tmp_path)
    ledger.add(Entry("1", "a", "failed", error="x"))
    ledger.add(Entry("1", "a", "done"))
    ledger.add(Entry("2", "b", "done", folder="b", files=["gone.mp4"]))
    with ledger.path.open("a") as file:
        file.write('{"id": "3", "na')
    assert [(e.id, e.status) for e in ledger.entries()] == [("1", "done"), ("2", "done")]
    assert ledger.done() == {"1"}
    ledger.add(Entry("4", "d", "done"))
    assert ledger.done() == {"1", "4"}


def test_without_a_server_that_answers_the_farm_ends_with_a_sentence(tmp_path, capsys):
    (tmp_path / "t.csv").write_text("Prompt.text\na\n")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        arguments = ["run", str(tmp_path / "t.csv"), "--workflow", str(DEMO), "--to", str(tmp_path / "o")]
        assert main([*arguments, "--servers", url, "--patience", "1"]) == 2
    assert f"none of {url} answered for 1 s, with 1 jobs left" in capsys.readouterr().err
    assert main(arguments) == 2
    assert "no server is given" in capsys.readouterr().err


def test_ray_that_is_missing_is_one_sentence(tmp_path, capsys, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "ray", None)
    (tmp_path / "t.csv").write_text("Prompt.text\na\n")
    arguments = ["run", str(tmp_path / "t.csv"), "--workflow", str(DEMO), "--to", str(tmp_path / "o")]
    assert main([*arguments, "--engine", "ray"]) == 2
    assert "pip install ray" in capsys.readouterr().err
