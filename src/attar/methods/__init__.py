"""One file per method. `METHODS` names them for the command line; nothing registers itself."""

METHODS: dict[str, str] = {
    "weight-times-input": "attar.methods.weight_times_input:WeightTimesInput",
    "shape-functions": "attar.methods.shape_functions:ShapeFunctions",
    "tree-paths": "attar.methods.tree_paths:TreePaths",
    "tree-shap": "attar.methods.tree_shap:TreeSHAP",
    "gradient": "attar.methods.gradient:Gradient",
    "gradient-input": "attar.methods.grad_input:GradInput",
    "integrated-gradients": "attar.methods.integrated_gradients:IntegratedGradients",
    "blur-integrated-gradients": "attar.methods.blur_integrated_gradients:BlurIntegratedGradients",
    "guided-integrated-gradients": "attar.methods.guided_integrated_gradients:GuidedIntegratedGradients",
    "deep-lift": "attar.methods.deep_lift:DeepLift",
    "lrp": "attar.methods.lrp:LRP",
    "guided-backprop": "attar.methods.guided_backprop:GuidedBackprop",
    "expected-gradients": "attar.methods.expected_gradients:ExpectedGradients",
    "smooth-grad": "attar.methods.smooth_grad:SmoothGrad",
    "var-grad": "attar.methods.var_grad:VarGrad",
    "square-grad": "attar.methods.square_grad:SquareGrad",
    "cam": "attar.methods.cam:CAM",
    "grad-cam": "attar.methods.grad_cam:GradCAM",
    "grad-cam++": "attar.methods.grad_cam_plus_plus:GradCAMPlusPlus",
    "layer-cam": "attar.methods.layer_cam:LayerCAM",
    "score-cam": "attar.methods.score_cam:ScoreCAM",
    "attention-rollout": "attar.methods.attention_rollout:AttentionRollout",
    "attention-weights": "attar.methods.attention_weights:AttentionWeights",
    "shapley": "attar.methods.shapley:Shapley",
    "occlusion": "attar.methods.occlusion:Occlusion",
    "in-silico-mutagenesis": "attar.methods.mutagenesis:InSilicoMutagenesis",
    "lime": "attar.methods.lime:Lime",
    "rise": "attar.methods.rise:Rise",
    "anchors": "attar.methods.anchors:Anchors",
    "random": "attar.methods.random_values:RandomValues",
}

# Those that have no defaults, for they start from rows of a table: from the command line, from the file's other rows.
OVER_ROWS: dict[str, str] = {"counterfactual": "attar.methods.counterfactual:Counterfactual"}

# Those that explain a loss over all rows of a table, and so take the column of the right answers.
OF_LOSS: dict[str, str] = {
    "permutation-importance": "attar.methods.permutation_importance:PermutationImportance",
    "sage": "attar.methods.sage:SAGE",
}

# Names that an audit gives to a method with other options than its defaults: the method, and what is different.
VARIANTS: dict[str, tuple[str, str]] = {
    "grad-cam-all": ("grad-cam", "every_layer=True: the mean over all layers"),
    "occlusion-occurrences": ("occlusion", "by=MaskOccurrences(): counts fall by the occurrences that touch the atom"),
}
