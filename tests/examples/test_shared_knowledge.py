"""One memory's digits, attached to another: known while attached, unknown before and after, then taken for good."""


def test_a_pack_brings_what_the_memory_has_never_seen(examples, tmp_path, capsys):
    import shared_knowledge

    told = shared_knowledge.main(tmp_path)
    assert told["alone, 0 to 4"] == told["detached, 0 to 4"] == 0.0
    assert told["attached, 0 to 4"] > 0.9
    assert told["imported, 0 to 4"] > 0.9
    assert told["detached, 5 to 9"] == told["alone, 5 to 9"] > 0.95
    assert told["attached, 5 to 9"] > 0.9
    assert "concepts of the digits 0 to 4" in capsys.readouterr().out
