import pytest
import torch
from timm.loss import AsymmetricLossSingleLabel
from torch.nn import functional

from comp.core.errors import ConfigError
from comp.tasks.kinds import CLASS_LINKS, LINKS
from comp.tasks.losses import LOSSES, Terms, check_loss, make_loss

PAIRS = [
    (name, link)
    for name, entry in LOSSES.items()
    for link in entry.make
    if not entry.regions and link in CLASS_LINKS
]
MEANS = {"bce", "ce", "focal", "asymmetric"}
GOOD = torch.tensor([[4.0, -4.0, -4.0], [-4.0, -4.0, 4.0]])


def truth(link: str) -> torch.Tensor:
    """What GOOD is right about, as an index has it."""
    target = torch.tensor([[1, 0, 0], [0, 0, 1]])
    return target if link == "sigmoid" else target.argmax(1)


def weights_of(link: str) -> torch.Tensor:
    return torch.tensor([[0.5, 1, 1], [2, 3, 1]] if link == "sigmoid" else [0.5, 2, 1])


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("name", "link"), PAIRS)
def test_every_loss_is_finite_on_sure_logits_and_falls_with_a_better_answer(
    name: str, link: str, weighted: bool
) -> None:
    loss = make_loss(name, link, Terms(weights=weights_of(link) if weighted else None))
    values = [
        loss(logits, LINKS[link].loss_target(truth(link), logits))
        for logits in (GOOD, 0 * GOOD, -100 * GOOD)
    ]
    assert torch.isfinite(torch.stack(values)).all()
    assert values[0] < values[1] < values[2]


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("name", "link"), PAIRS)
def test_a_soft_target_that_is_sure_costs_what_the_hard_one_does(
    name: str, link: str, weighted: bool, smoothing: float
) -> None:
    loss = make_loss(name, link, Terms(smoothing, weights_of(link) if weighted else None))
    hard = LINKS[link].loss_target(truth(link), GOOD)
    soft = LINKS[link].soft_target(truth(link), 3)
    assert soft.shape == GOOD.shape
    torch.testing.assert_close(loss(GOOD, LINKS[link].loss_target(soft, GOOD)), loss(GOOD, hard))


@pytest.mark.parametrize(("name", "link"), [("bce", "sigmoid"), ("ce", "softmax")])
def test_half_of_each_of_two_images_costs_the_mean_of_both(name: str, link: str) -> None:
    loss = make_loss(name, link, Terms(weights=weights_of(link)))
    ends = [LINKS[link].soft_target(t, 3) for t in (truth(link), truth(link).flip(0))]
    torch.testing.assert_close(
        loss(GOOD, sum(ends) / 2), (loss(GOOD, ends[0]) + loss(GOOD, ends[1])) / 2
    )


@pytest.mark.parametrize(("name", "link"), [pair for pair in PAIRS if pair[0] in MEANS])
def test_a_batch_in_parts_costs_what_the_whole_does(name: str, link: str) -> None:
    loss = make_loss(name, link, Terms(weights=weights_of(link)))
    target = LINKS[link].loss_target(truth(link), GOOD)
    logits = GOOD * torch.tensor([[1.0], [0.1]])
    parts = [loss(logits[row : row + 1], target[row : row + 1]) for row in range(2)]
    torch.testing.assert_close(sum(parts) / 2, loss(logits, target))


def test_cross_entropy_and_bce_are_those_of_the_textbook() -> None:
    logits = torch.tensor([[0.0, 1.0]])
    ce = make_loss("ce", "softmax")(logits, torch.tensor([1]))
    torch.testing.assert_close(ce, torch.log(1 + torch.exp(torch.tensor(-1.0))))
    bce = make_loss("bce", "sigmoid")(torch.tensor([[0.0]]), torch.tensor([[1.0]]))
    torch.testing.assert_close(bce, torch.log(torch.tensor(2.0)))


def test_bce_with_a_weight_of_ones_is_that_of_torch() -> None:
    logits, target = GOOD / 3, truth("sigmoid").float()
    weights = torch.tensor([[1.0, 1, 1], [5, 1, 2]])
    want = functional.binary_cross_entropy_with_logits(logits, target, pos_weight=weights[1])
    torch.testing.assert_close(
        make_loss("bce", "sigmoid", Terms(weights=weights))(logits, target), want
    )


@pytest.mark.parametrize("link", CLASS_LINKS)
def test_focal_loss_is_cross_entropy_times_the_square_of_what_is_missing(link: str) -> None:
    logits = torch.tensor([[0.3, -1.0]]) if link == "softmax" else torch.tensor([[0.3]])
    target = torch.tensor([0]) if link == "softmax" else torch.tensor([[1.0]])
    right = logits.softmax(1)[0, 0] if link == "softmax" else logits.sigmoid()[0, 0]
    found = make_loss("focal", link)(logits, target)
    torch.testing.assert_close(found, -((1 - right) ** 2) * right.log())


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_asymmetric_loss_of_classes_is_that_of_timm(smoothing: float) -> None:
    logits, target = (
        torch.randn(5, 4, generator=torch.Generator().manual_seed(0)),
        torch.arange(5) % 4,
    )
    want = AsymmetricLossSingleLabel(eps=smoothing)(logits, target)
    torch.testing.assert_close(
        make_loss("asymmetric", "softmax", Terms(smoothing))(logits, target), want
    )


def test_soft_f1_of_sure_answers_is_one_minus_f1() -> None:
    answer = torch.tensor([[1, 0], [1, 1], [0, 1], [1, 0]])
    target = torch.tensor([[1, 0], [0, 1], [0, 1], [1, 0]]).float()
    found = make_loss("soft_f1", "sigmoid")(200.0 * answer - 100, target)
    torch.testing.assert_close(
        found, torch.tensor(1 - (5 / 6 + 5 / 5) / 2)
    )  # (2 tp + 1) / (.. + 1)
    column = make_loss("soft_f1", "sigmoid")(200.0 * answer[:, :1] - 100, target[:, :1])
    torch.testing.assert_close(column, torch.tensor(1 - (5 / 6 + 3 / 4) / 2))


def test_label_smoothing_moves_the_target() -> None:
    logits = torch.tensor([[2.0]])
    smooth = make_loss("bce", "sigmoid", Terms(0.2))(logits, torch.tensor([[1.0]]))
    plain = make_loss("bce", "sigmoid")
    want = 0.9 * plain(logits, torch.ones(1, 1)) + 0.1 * plain(logits, torch.zeros(1, 1))
    torch.testing.assert_close(smooth, want)


def test_a_sum_of_losses_is_the_sum_of_their_shares() -> None:
    target = truth("softmax")
    want = 0.5 * make_loss("ce", "softmax")(GOOD, target) + 2 * make_loss("focal", "softmax")(
        GOOD, target
    )
    torch.testing.assert_close(make_loss({"ce": 0.5, "focal": 2.0}, "softmax")(GOOD, target), want)


def test_a_loss_of_the_other_link_is_refused_with_those_that_fit() -> None:
    with pytest.raises(ConfigError, match=r"'ce' is for softmax outputs.*use one of: bce, focal"):
        make_loss("ce", "sigmoid")
    with pytest.raises(ConfigError, match=r"use one of: bce, focal, asymmetric, soft_f1$"):
        check_loss("ce", "sigmoid")
    with pytest.raises(ConfigError, match=r"unknown loss 'bec'.*Did you mean 'bce'"):
        check_loss("bec", "sigmoid")


def test_weights_that_nothing_reads_are_refused() -> None:
    with pytest.raises(ConfigError, match="soft_f1 takes no class weights"):
        check_loss("soft_f1", "softmax", "inverse")
    with pytest.raises(
        ConfigError, match=r"pos_weight: it is for 0/1 columns.*class_weights: inverse"
    ):
        check_loss("ce", "softmax", "none", 2.0)
    check_loss({"soft_f1": 1.0, "ce": 1.0}, "softmax", "inverse")


# the weights


MAPS = [(name, link) for name, entry in LOSSES.items() if entry.pixels for link in entry.make]


def a_map(link: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits (2, 3, 4, 6), and the masks that they are right about as a loader gives them."""
    draw = torch.Generator().manual_seed(0)
    numbers = torch.randint(0, 3, (2, 1, 4, 6), generator=draw, dtype=torch.uint8)
    cells = torch.cat([numbers == number for number in range(3)], dim=1)
    masks = numbers if link == "softmax" else cells.to(torch.uint8)
    return 8.0 * cells - 4, masks


@pytest.mark.parametrize(("name", "link"), MAPS)
def test_every_loss_of_maps_falls_with_a_better_answer(name: str, link: str) -> None:
    logits, masks = a_map(link)
    loss = make_loss(name, link, Terms(gamma=1.5, alpha=0.7))
    values = [
        loss(answer, LINKS[link].loss_target(masks, answer))
        for answer in (logits, 0 * logits, -10 * logits)
    ]
    assert torch.isfinite(torch.stack(values)).all()
    assert values[0] < values[1] < values[2]


@pytest.mark.parametrize(("name", "link"), MAPS)
def test_what_is_not_judged_does_not_change_a_loss(name: str, link: str) -> None:
    logits, masks = a_map(link)
    masks[:, :, :, 4:] = 255
    logits, loss = logits / 8, make_loss(name, link)
    logits.requires_grad_()
    right = loss(logits, LINKS[link].loss_target(masks, logits))
    right.backward()
    assert logits.grad is not None
    assert (logits.grad[..., 4:] == 0).all()
    assert (logits.grad[..., :4] != 0).any()
    wrong = logits.detach().clone()
    wrong[..., 4:] *= -1
    torch.testing.assert_close(loss(wrong, LINKS[link].loss_target(masks, wrong)), right.detach())


@pytest.mark.parametrize("link", ["sigmoid", "softmax"])
@pytest.mark.parametrize("gamma", [0.0, 0.3, 0.9])
def test_a_focal_loss_has_a_finite_slope_where_the_network_is_certain(
    link: str, gamma: float
) -> None:
    logits = torch.tensor([[200.0, -200.0], [-200.0, 200.0]], requires_grad=True)
    target = torch.tensor([0, 1]) if link == "softmax" else torch.eye(2)
    loss = make_loss("focal", link, Terms(gamma=gamma))(logits, target)
    loss.backward()
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()
    assert loss.item() == pytest.approx(0, abs=1e-6)


def test_a_focal_loss_below_one_is_that_of_torchvision() -> None:
    from torchvision.ops import sigmoid_focal_loss

    logits, target = torch.tensor([[0.3, -1.2], [2.0, 0.1]]), torch.eye(2)
    for alpha in (None, 0.25):
        found = make_loss("focal", "sigmoid", Terms(gamma=0.5, alpha=alpha))(logits, target)
        given = -1 if alpha is None else alpha
        want = sigmoid_focal_loss(logits, target, alpha=given, gamma=0.5, reduction="mean")
        torch.testing.assert_close(found, want)


UNSAID = torch.tensor([[1, -1, 0], [-1, 0, 1], [1, 1, -1], [-1, -1, -1]])
DRAWN = torch.randn(4, 3, generator=torch.Generator().manual_seed(3)) * 2
SIGMOID = [name for name, link in PAIRS if link == "sigmoid"]


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("name", sorted(MEANS & {*SIGMOID}))
def test_the_loss_of_unknown_cells_is_that_of_the_known_ones_alone(
    name: str, smoothing: float
) -> None:
    loss = make_loss(name, "sigmoid", Terms(smoothing))
    known = UNSAID >= 0
    alone = loss(DRAWN[known][:, None], UNSAID[known][:, None].float())
    torch.testing.assert_close(loss(DRAWN, LINKS["sigmoid"].loss_target(UNSAID, DRAWN)), alone)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", SIGMOID)
def test_an_unknown_cell_has_no_part_in_loss_and_slope(name: str, weighted: bool) -> None:
    loss = make_loss(name, "sigmoid", Terms(0.1, weights_of("sigmoid") if weighted else None))
    target = LINKS["sigmoid"].loss_target(UNSAID, DRAWN)
    logits = DRAWN.clone().requires_grad_()
    found = loss(logits, target)
    found.backward()
    assert logits.grad is not None
    assert ((logits.grad == 0) == (UNSAID < 0)).all()
    other = torch.where(UNSAID < 0, 9.0, DRAWN)
    torch.testing.assert_close(loss(other, target), found.detach())


@pytest.mark.parametrize("name", SIGMOID)
def test_a_batch_of_which_nothing_is_known_costs_nothing(name: str) -> None:
    found = make_loss(name, "sigmoid")(DRAWN, torch.full((4, 3), -1.0))
    assert found.isfinite()
    assert name == "soft_f1" or found == 0
