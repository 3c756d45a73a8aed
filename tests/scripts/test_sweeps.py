"""The ablation and sensitivity scripts: every row composes, validates and differs."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from omegaconf import DictConfig

from cueco_solo.methods.cueco_options import fill_cueco
from cueco_solo.methods.rcl_options import fill_rcl
from cueco_solo.training.compose import compose_config
from cueco_solo.training.settings import check_settings

SCRIPTS = Path(__file__).parents[2] / "scripts"

pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")


def bash(script: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The script with ``echo`` in place of ``cueco-solo``."""
    return subprocess.run(
        ["bash", str(SCRIPTS / script), *arguments],
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin:/bin", "COMMAND": "echo", **environment},
    )


def rows(script: str, *arguments: str, **environment: str) -> list[list[str]]:
    """Arguments of every ``cueco-solo`` that the script would run."""
    done = bash(script, *arguments, **environment)
    assert done.returncode == 0, done.stderr
    lines = (done.stderr + done.stdout).splitlines()
    return [line.split() for line in lines if not line.startswith("==")]


def composed(script: str, config: str = "cueco-cifar100") -> list[DictConfig]:
    given = rows(script, config, "hardware=cpu", "seed=6", EVALUATE="0")
    cfgs = []
    for command, option, name, *overrides in given:
        assert (command, option) == ("pretrain", "--config-name")
        cfg = compose_config(name, None, overrides)
        check_settings(cfg)
        cfgs.append(fill_rcl(cfg) if cfg.method == "rcl" else fill_cueco(cfg))
    assert len({cfg.name for cfg in cfgs}) == len(cfgs)
    assert len({str(cfg.method_kwargs) for cfg in cfgs}) == len(cfgs)
    assert all(
        (cfg.seed, cfg.accelerator, cfg.auto_resume.enabled) == (6, "cpu", True) for cfg in cfgs
    )
    return cfgs


def test_cuecos_table_3_and_the_open_readings():
    cfgs = [cfg.method_kwargs for cfg in composed("ablations.sh")]
    weights = [(k.contrastive_weight, k.centroid_weight, k.variance_weight) for k in cfgs]
    assert weights[:4] == [(1, 0, 0), (1, 0.1, 0), (1, 0, 0.01), (1, 0.1, 0.01)]
    assert set(weights[4:]) == {(1, 0.1, 0.01)}
    changed = [{key: k[key] for key in k if k[key] != cfgs[3][key]} for k in cfgs[4:]]
    assert changed == [
        {"assignment": "soft"},
        {"clustering": "offline"},
        {"centroid_gradient": True},
        {"symmetric": False},
        {"proj_output_bn": False},
        {"predictor_init": "identity"},
        {"predictor": "residual"},
        {"predictor": "none"},
        {"pred_output_bn": True},
        {"pred_output_bias": False},
        {"variance": "mean"},
        {"variance": "per_dimension"},
        {"before_clustering": "frozen"},
        {"before_clustering": "frozen", "frozen_start": "kmeans"},
        {"assignment": "soft", "assignment_temperature": 0.05},
    ]


def test_rcls_tables_3_and_4():
    cfgs = [cfg.method_kwargs for cfg in composed("ablations.sh", "rcl-cifar100")]
    online = [(1, 1), (1, 2), (1, 3), (1, 4), (3, 3)]
    assert [(k.num_predictors, k.num_levels) for k in cfgs[:5]] == online
    assert {k.hierarchy for k in cfgs[:5]} == {"online"}
    radii = [[], [0.8], [0.8, 0.7], [0.8, 0.7, 0.6], [0.8, 0.7]]
    assert [list(k.dbscan_eps) for k in cfgs[:5]] == radii
    # the similarities at the radii, in the row with its own radii too
    assert [list(k.merge_threshold) for k in cfgs[:5]] == [
        pytest.approx([1 - eps**2 / 2 for eps in row]) for row in radii
    ]
    assert [k.hierarchy for k in cfgs[5:]] == ["none", "kmeans", "dbscan", *["online"] * 3]
    assert [k.num_levels for k in cfgs[5:]] == [1, *[3] * 5]
    assert [k.symmetric for k in cfgs] == [True] * 8 + [False, True, True]
    starts = [("mlp", "random")] * 9 + [("mlp", "identity"), ("residual", "random")]
    assert [(k.predictor, k.predictor_init) for k in cfgs] == starts


def test_radii_of_ones_own_go_for_all_rows():
    given = rows("ablations.sh", "rcl-digits", "method_kwargs.dbscan_eps=[0.6,0.5,0.4]")
    overrides = [line for line in given if line[0] == "pretrain"]
    assert {line[-1] for line in overrides} == {"method_kwargs.dbscan_eps=[0.6,0.5,0.4]"}


def test_numbers_of_clusters():
    numbers = [cfg.method_kwargs.num_clusters for cfg in composed("sensitivity.sh")]
    assert numbers == [100, 500, 1000]


def write_stand_in(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        f"#!{sys.executable}\n"
        "import sys\n"
        "if sys.argv[1] == 'pretrain':\n"
        "    print('Epoch 0: 100%\\r', 'run folder: runs of/' + sys.argv[4], sep='')\n"
        "else:\n"
        "    print('|'.join(sys.argv[1:]))\n"
    )
    path.chmod(0o755)
    return path


def test_every_run_is_evaluated_in_its_folder(tmp_path: Path):
    """A stand-in for cueco-solo whose training prints the folder last, after a progress bar."""
    stand_in = write_stand_in(tmp_path / "cueco-solo")
    done = rows("sensitivity.sh", "cueco-cifar10", COMMAND=str(stand_in))
    evaluations = [" ".join(line) for line in done if "|" in line[0] + line[-1]]
    folder = "runs of/name=cueco-cifar10-L100"
    expected = [f"linear|{folder}|--cached", f"knn|{folder}", f"cluster|{folder}"]
    assert evaluations[:3] == expected


def test_a_log_of_both_streams_is_whole_and_the_own_installation_is_found(tmp_path: Path):
    scripts = shutil.copytree(SCRIPTS, tmp_path / "a checkout" / "scripts")
    write_stand_in(tmp_path / "a checkout" / ".venv" / "bin" / "cueco-solo")
    log = tmp_path / "log"
    with log.open("w") as file:
        command = ["bash", str(scripts / "sensitivity.sh"), "cueco-cifar10"]
        subprocess.run(command, stdout=file, stderr=file, env={"PATH": "/usr/bin:/bin"}, check=True)
    lines = log.read_text().splitlines()
    expected = [f"== cueco-cifar10 L{number}" for number in (100, 500, 1000)]
    assert [line for line in lines if line.startswith("==")] == expected
    assert sum("run folder: " in line for line in lines) == 3
    assert sum(line.startswith("cluster|") for line in lines) == 3


@pytest.mark.parametrize(
    ("arguments", "command", "code", "lines"),
    [
        (
            ["cueco-x"],
            "true",
            1,
            ["== cueco-x contrastive", "error: cueco-x contrastive named no run folder"],
        ),
        (["cueco-x"], "false", 1, ["== cueco-x contrastive"]),
        (
            ["simclr-digits-placed"],
            "echo",
            2,
            [
                "error: CONFIG=simclr-digits-placed must be a configuration of ours of cueco-* or "
                "rcl-*"
            ],
        ),
    ],
    ids=["no folder", "failed row", "another method"],
)
def test_what_stops_the_script(arguments: list[str], command: str, code: int, lines: list[str]):
    done = bash("ablations.sh", *arguments, COMMAND=command)
    assert (done.returncode, done.stderr.splitlines()) == (code, lines)
    assert not done.stdout


def test_no_arguments_show_the_usage():
    usage = bash("ablations.sh", COMMAND="false")
    assert usage.returncode == 2
    assert "bash scripts/ablations.sh CONFIG" in usage.stderr
    assert "#!" not in usage.stderr
