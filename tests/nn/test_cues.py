"""By what text models address memory."""

import torch

from aesg_graph.nn.recurrent import LEAK
from aesg_graph.nn.text.cues import TokenCues, Trace

TOKENS = torch.tensor([[3, 1, 4, 1, 5], [9, 2, 6, 5, 3]])


def test_codes_are_the_same_in_every_model_and_tell_tokens_apart():
    one, other = TokenCues(50, 16), TokenCues(50, 16)
    assert torch.equal(one.codes, other.codes)
    assert one.state_dict() == {}
    cosines = one.codes @ one.codes.T
    torch.testing.assert_close(cosines.diagonal(), torch.ones(50))
    assert (cosines - torch.eye(50)).max() < 0.9


def test_an_echo_is_what_the_memory_cells_keep():
    cues = TokenCues(50, 16)
    found = cues.in_context(TOKENS)
    echo = torch.zeros(2, 16)
    for t in range(5):
        torch.testing.assert_close(found[:, t], torch.cat([cues(TOKENS[:, t]), echo], -1))
        echo = echo + LEAK * (cues(TOKENS[:, t]) - echo)


def test_read_piece_by_piece_they_are_the_same():
    cues, trace = TokenCues(50, 16), Trace()
    pieces = [cues.in_context(piece, trace) for piece in TOKENS.split([2, 1, 2], dim=1)]
    torch.testing.assert_close(torch.cat(pieces, 1), cues.in_context(TOKENS))
