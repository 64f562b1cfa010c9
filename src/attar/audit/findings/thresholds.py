"""Where a number becomes a caution or a distrust: conventions, each to be argued with, and none of them elsewhere."""

GOOD_PREDICTION = 0.80  # a held-out AUROC below it is a caution
LITTLE_PREDICTION = 0.55  # an interval that reaches below it is hardly a prediction; below chance it is none
DROP_ON_NEW = 0.10  # more lost on whole unseen clusters is a caution
ABOVE_CHANCE = 0.05  # an attribution that may lie this close to chance shows nothing
RULE_IS_LABEL = 0.98  # from this agreement on, what lies outside the rule cannot be the cause
PULL = 0.10  # a shortcut must move the model by this share of the gap between the classes
WIDESPREAD = 0.10  # in a smaller share of the training positives a shortcut bends few answers
OVERTAKEN = 0.50  # negatives with it outrank positives without it
FEW_POSITIVES = 50
FEW_COMPARED = 10  # examples, below which nothing is said of how two rankings agree
FEW_SCORED = 30  # with fewer examples, a wide interval is no evidence against an attribution
RARE = 0.02  # share of the smaller class
SHIFTED = 0.20  # Kolmogorov-Smirnov distance of a property between train and test
WEAKLY_RANKED = 0.20  # Spearman's rho of values and what taking groups out does, or of two models' values
FROM_INPUT = 0.50  # so much of an attribution that stays without anything learnt is the input's own
TOLD_APART = 0.60  # AUROC from which training and test examples are different examples
WORSE_SLICE = 0.10  # less of a slice on the right side than of the rest
NOISY_LABELS = 0.05  # a share of wrong labels that may be no smaller
COPIED = 0.01  # share of the test examples that training has too, of all examples whose copies differ in label
LEAK = 0.99  # AUROC or R² of a single column alone, from which it may be known only afterwards
SHOWN = 10  # training positives, below which nothing is known of an alternative of the rule
