"""Every key of a configuration, for pre-training and for linear evaluation, by section.

Solo-learn and Lightning read most of them and fill in their own defaults, which stand here for the
documentation. Checked here is what they compute with unseen; what is ``Any`` they check themselves.
"""

from typing import Any, Literal

from pydantic import ValidationInfo, field_validator

from cueco_solo.errors import config_error
from cueco_solo.methods.momentum_options import MomentumOptions
from cueco_solo.options import (
    Count,
    NonNegative,
    Options,
    Positive,
    Seed,
    Several,
    Size,
    derived,
    option,
    required,
)
from cueco_solo.training.monitor.settings import OnlineClusteringOptions
from cueco_solo.training.trainer_settings import TrainerOptions


def _named(key: str, text: str) -> str:
    """The text of a path or a name, if there is any."""
    if not text.strip():
        raise config_error(key, text, "is empty", f"set {key}=...")
    return text


class BackboneOptions(Options):
    name: str = required(
        "one of solo-learn's backbones, such as resnet18; resnet18_cifar and resnet50_cifar have "
        "the stem for 32-pixel images on any data"
    )
    kwargs: dict[str, Any] = option({}, "further arguments of the backbone")


class DataOptions(Options):
    dataset: Literal["cifar10", "cifar100", "stl10", "imagenet", "imagenet100", "custom"] = (
        required("the data set; custom: any folder of images")
    )
    train_path: str | None = option(None, "training images: a folder with one folder per class")
    val_path: str | None = option(None, "validation images; without them nothing is validated")
    format: Literal["image_folder", "dali", "h5"] = option(
        "image_folder", "how the images are stored, or that DALI reads them"
    )
    num_workers: Size = required(
        "number of processes that load images; 0: the training process does"
    )
    augment: Literal["workers", "device"] = option(
        "workers",
        "who makes the views of a pre-training: workers, by solo-learn's transforms of PIL images; "
        "device: the model's, of images of one size that are kept in memory (cueco-solo only)",
    )
    no_labels: bool = option(
        False,
        "train_path is a folder of images without labels, at any depth; its folders don't count",
    )
    check_images: bool = derived(
        "read every training image once before the first step. True with no_labels, else False"
    )
    skip_unreadable: bool = option(
        False, "with no_labels: leave images out that can't be read, as --skip-unreadable does"
    )
    fraction: float = option(-1, "share of the training images; -1: all")
    superclasses: bool = option(False, "label CIFAR-100 by its 20 superclasses")
    augmentations: Any = option({}, "crop_size, mean and std of a linear evaluation")

    @field_validator("train_path", "val_path")
    @classmethod
    def _check_path(cls, path: str | None, info: ValidationInfo) -> str | None:
        return path if path is None else _named(f"data.{info.field_name}", path)

    @field_validator("fraction")
    @classmethod
    def _check_fraction(cls, fraction: float) -> float:
        if fraction != -1 and not 0 < fraction < 1:
            allowed = "must be a share above 0 and below 1"
            raise config_error("data.fraction", fraction, allowed, "use -1 for all data")
        return fraction


# arguments of torch's optimizers and of solo-learn's LARS that take any value without a word, or
# whose message doesn't name them
_NUMBERS = ("dampening", "eps", "eta", "momentum")
_SWITCHES = (
    *("amsgrad", "capturable", "clip_lr", "differentiable", "exclude_bias_n_norm", "foreach"),
    *("fused", "maximize", "nesterov"),
)


class OptimizerOptions(Options):
    name: Literal["sgd", "lars", "adam", "adamw"] = required("the optimizer")
    batch_size: Count = required("images per batch and process")
    lr: NonNegative = required(
        "learning rate for 256 images; scaled by the batch size of all processes"
    )
    classifier_lr: Positive | None = option(
        None, "learning rate of a fine-tuning's classifier, scaled and scheduled as lr is; null: lr"
    )
    weight_decay: NonNegative = required("weight decay")
    exclude_bias_n_norm_wd: bool = option(False, "no weight decay of biases and norms")
    layer_decay: NonNegative = option(0.0, "factor of the learning rate from layer to layer")
    kwargs: dict[str, Any] = option({}, "further arguments of the optimizer")

    @field_validator("kwargs")
    @classmethod
    def _check_kwargs(cls, kwargs: dict[str, Any]) -> dict[str, Any]:
        for name, value in kwargs.items():
            if name in _NUMBERS and type(value) not in (int, float):
                raise config_error(f"optimizer.kwargs.{name}", value, "must be a number")
            if name in _SWITCHES and value not in (True, False, None):
                raise config_error(f"optimizer.kwargs.{name}", value, "must be True or False")
        return kwargs

    @field_validator("lr")
    @classmethod
    def _check_lr(cls, lr: float) -> float:
        if lr == 0:
            raise config_error("optimizer.lr", lr, "trains nothing", "give a number above 0")
        return lr


class PretrainingOptimizer(OptimizerOptions):
    batch_size: Several = required("images per batch and process")
    classifier_lr: NonNegative = required("learning rate of the online classifier, scaled as lr is")
    layer_decay: NonNegative = option(0.0, "of linear evaluations and fine-tuning only")

    @field_validator("layer_decay")
    @classmethod
    def _check_layer_decay(cls, decay: float) -> float:
        if decay:
            reason = "is read by linear evaluations and fine-tuning only"
            raise config_error("optimizer.layer_decay", decay, reason, "remove it")
        return decay


class SchedulerOptions(Options):
    name: str = required("schedule of the learning rate")
    min_lr: NonNegative = option(0.0, "learning rate at the end of a cosine")
    warmup_start_lr: NonNegative = option(3e-5, "learning rate at the start of the warm-up")
    warmup_epochs: NonNegative = option(10, "epochs of linear warm-up")
    lr_decay_steps: list[Count] | None = option(
        None, "epochs at which the schedule step lowers the learning rate"
    )
    interval: Literal["step", "epoch"] = option("step", "how often the learning rate changes")


class PretrainingScheduler(SchedulerOptions):
    name: Literal["warmup_cosine", "step", "none"] = required("schedule of the learning rate")


class LinearScheduler(SchedulerOptions):
    name: Literal["warmup_cosine", "step", "exponential", "none"] = required(
        "schedule of the learning rate"
    )


class CheckpointOptions(Options):
    enabled: bool = option(False, "write checkpoints")
    dir: str | None = option("trained_models", "folder that the run folders are written to")
    frequency: Count = option(1, "epochs from one checkpoint to the next")
    keep_prev: bool = option(False, "keep earlier checkpoints")

    @field_validator("dir")
    @classmethod
    def _check_dir(cls, folder: str | None) -> str | None:
        return folder if folder is None else _named("checkpoint.dir", folder)


class PretrainingCheckpoint(CheckpointOptions):
    dir: str = required("folder that the run folders are written to")
    every_n_minutes: Positive | None = option(
        None, "minutes from one checkpoint to the next, amid an epoch too"
    )


class AutoResumeOptions(Options):
    enabled: bool = option(False, "go on with the run of this very configuration, if there is one")
    max_hours: NonNegative = option(
        36, "maximum age of that run, in solo-learn's own programs only"
    )


class ResumeOptions(Options):
    allow: list[str] = option(
        [], "keys, or sections, that may differ from those of the run that is resumed"
    )


class AutoUmapOptions(Options):
    enabled: Any = option(False, "UMAP plots while training, in solo-learn's own programs only")
    dir: Any = option("auto_umap", "folder of the plots")
    frequency: Any = option(1, "epochs from one plot to the next")


class KNNOptions(Options):
    enabled: bool = option(False, "solo-learn's k-NN classifier at each validation")
    k: Count = option(20, "number of neighbours")
    distance_func: Literal["euclidean", "cosine"] = option("euclidean", "distance")


class PerformanceOptions(Options):
    disable_channel_last: bool = option(False, "don't use the channels-last memory format")


class DALIOptions(Options):
    device: Literal["cpu", "gpu"] = option("gpu", "device that DALI decodes on")
    encode_indexes_into_labels: bool = option(
        False, "give each image's own index, for RCL and for Self-Classifier with a queue"
    )


class WandbOptions(Options):
    enabled: bool = option(False, "log to Weights & Biases")
    entity: Any = option(None, "user or team")
    project: Any = option("solo-learn", "project")
    offline: bool = option(False, "write the log without sending it")


class TensorboardOptions(Options):
    enabled: bool = option(False, "write TensorBoard's logs into the run folder as well")


class Settings(Options):
    """What pre-training and linear evaluation have in common."""

    section = ""

    name: str = required("name of the run, part of file names")
    method: str | None = option(None, "used in pre-training only")
    seed: Seed = option(5, "seed of all random numbers")
    backbone: BackboneOptions
    method_kwargs: Any = option({}, "the method's own options")
    momentum: MomentumOptions
    data: DataOptions
    optimizer: OptimizerOptions
    scheduler: SchedulerOptions
    checkpoint: CheckpointOptions
    auto_resume: AutoResumeOptions
    auto_umap: AutoUmapOptions
    online_clustering: OnlineClusteringOptions
    knn_eval: KNNOptions
    performance: PerformanceOptions
    dali: DALIOptions
    wandb: WandbOptions
    tensorboard: TensorboardOptions
    augmentations: Any = option([], "list of views, or the name of a file in configs/augmentations")
    resume: ResumeOptions
    resume_from_checkpoint: str | None = option(None, "a checkpoint, or a folder with one")
    debug_augmentations: bool = option(False, "print the augmentations")

    @field_validator("name")
    @classmethod
    def _check_name(cls, name: str) -> str:
        if "/" in name:
            raise config_error("name", name, "names files, so it can't have a /", "leave it out")
        return _named("name", name)


class PretrainingSettings(TrainerOptions, Settings):
    """The configuration of a pre-training."""

    method: str = required("one of solo-learn's methods, or cueco, rcl, self_classifier")
    seed: Seed = required("seed of all random numbers")
    optimizer: PretrainingOptimizer
    scheduler: PretrainingScheduler
    checkpoint: PretrainingCheckpoint


class LinearSettings(TrainerOptions, Settings):
    """The configuration of a linear evaluation or of fine-tuning."""

    scheduler: LinearScheduler
    limit_val_batches: Positive | None = option(
        None, "batches of each validation, or a share of them"
    )
    pretrained_feature_extractor: Any = option(None, "checkpoint; cueco-solo fills it in")
    pretrain_method: Any = option(None, "method of the checkpoint")
    finetune: Any = option(False, "train the backbone as well")
    auto_augment: Any = option(False, "solo-learn's own programs only")
    label_smoothing: Any = option(0.0, "solo-learn's own programs only")
    mixup: Any = option(0.0, "solo-learn's own programs only")
    cutmix: Any = option(0.0, "solo-learn's own programs only")
