"""The online monitor of a stock baseline in solo-learn main's own main_pretrain.py, unmodified."""

from pathlib import Path

from host.test_stock_programs import CHECKOUT, run
from host.test_stock_programs import pytestmark as pytestmark


def test_a_baseline_logs_the_monitors_figures(images: Path, tmp_path: Path) -> None:
    run(
        tmp_path,
        CHECKOUT / "main_pretrain.py",
        "--config-name=simclr-digits-placed",
        f"data.train_path={images / 'train'}",
        f"data.val_path={images / 'val'}",
        "augmentations=asymmetric-32",
        "data.num_workers=0",
        "optimizer.batch_size=6",
        "max_epochs=1",
        "+hardware=cpu",
    )
    # CSV, or TensorBoard's format where that is installed
    logs = [path.read_bytes() for path in tmp_path.glob("lightning_logs/*/*") if path.is_file()]
    for name in (b"online_nmi", b"online_rankme", b"online_cluster_active", b"online_uniformity"):
        assert any(name in log for log in logs)
