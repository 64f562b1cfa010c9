"""One file per method. `METHODS` names them for the command line; nothing registers itself."""

METHODS: dict[str, str] = {
    "weight-times-input": "attar.methods.weight_times_input:WeightTimesInput",
    "tree-paths": "attar.methods.tree_paths:TreePaths",
    "gradient-input": "attar.methods.grad_input:GradInput",
    "integrated-gradients": "attar.methods.integrated_gradients:IntegratedGradients",
    "smooth-grad": "attar.methods.smooth_grad:SmoothGrad",
    "cam": "attar.methods.cam:CAM",
    "grad-cam": "attar.methods.grad_cam:GradCAM",
    "attention-weights": "attar.methods.attention_weights:AttentionWeights",
    "occlusion": "attar.methods.occlusion:Occlusion",
    "random": "attar.methods.random_values:RandomValues",
}

# Names that an audit gives to a method with other options than its defaults: the method, and what is different.
VARIANTS: dict[str, tuple[str, str]] = {
    "grad-cam-all": ("grad-cam", "every_layer=True: the mean over all layers"),
    "occlusion-occurrences": ("occlusion", "by=MaskOccurrences(): counts fall by the occurrences that touch the atom"),
}
