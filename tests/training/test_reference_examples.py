"""What a user of `aesg` wrote works here with the import changed: models, evaluation, configuration, errors, modes.

One test for each example of that library's two pages, as calls; sizes are smaller where the example's would take long.
Examples with a trainer are in test_reference_training.py. What is different on purpose is in docs/coming-from-aesg.md,
and tested here as it is.
"""

import dataclasses
import gc

import pytest
import torch
from torch import nn

import aesg_graph
from aesg_graph import AESGConfig, AESGMemory


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Examples name folders below the current one."""
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    gc.collect()  # memories that nobody holds any more are closed


# Text models


def test_gru():
    from aesg_graph import AESGGRUText

    model = AESGGRUText.small(vocab_size=5000)
    x = torch.randint(0, 5000, (4, 20))
    assert model(x).shape == (4, 20, 5000)


def test_lstm():
    from aesg_graph import AESGLSTMText

    model = AESGLSTMText.medium(vocab_size=800)
    x = torch.randint(0, 800, (4, 30))
    assert model(x).shape == (4, 30, 800)


def test_seq2seq():
    from aesg_graph import AESGSeq2Seq

    model = AESGSeq2Seq.medium(vocab_size=300)
    src = torch.randint(0, 300, (4, 25))
    assert model(src).shape == (4, 25, 300)


def test_decoder_and_its_next_token():
    from aesg_graph import AESGDecoderLM

    model = AESGDecoderLM.large(vocab_size=3000)
    prompt = torch.randint(0, 3000, (1, 50))
    logits = model(prompt)
    next_token_probs = torch.softmax(logits[0, -1, :], dim=0)
    assert 0 <= next_token_probs.argmax().item() < 3000


def test_transformer_in_three_sizes_and_a_place_of_its_own(folder):
    from aesg_graph import AESGTransformer

    for size, width in (("small", 64), ("medium", 128), ("large", 256)):
        model = getattr(AESGTransformer, size)(vocab_size=300)
        assert model.memory.vector_dim == width
    model = AESGTransformer.medium(vocab_size=300, storage_dir="./my_transformer_memory")
    x = torch.randint(0, 300, (4, 64))
    assert model(x).shape == (4, 64, 300)
    assert (folder / "my_transformer_memory").is_dir()


# Image models


def test_colorization():
    from aesg_graph import AESGColorizationNet

    model = AESGColorizationNet.small()
    color_output = model(torch.rand(8, 1, 128, 128))
    assert color_output.shape == (8, 3, 128, 128)
    assert 0 <= color_output.min() < color_output.max() <= 1


def test_classifier():
    from aesg_graph import AESGCNNClassifier

    model = AESGCNNClassifier.small(num_classes=10)
    assert AESGCNNClassifier.medium(num_classes=1000).num_classes == 1000
    logits = model(torch.rand(8, 3, 128, 128))
    assert logits.shape == (8, 10)
    assert logits.argmax(dim=1).shape == (8,)


def test_autoencoder():
    from aesg_graph import AESGCNNAutoencoder

    model = AESGCNNAutoencoder.small()
    images = torch.rand(8, 3, 128, 128)
    assert model(images).shape == images.shape


# Layers in a model of one's own


def test_layers_by_their_known_names():
    from aesg_graph.nn import AESG_GRU, AESG_LSTM, AESG_CNNLayer, AESG_TransformerLayer

    memory = AESGMemory("./layers", AESGConfig(vector_dim=16))
    hidden, cell = torch.zeros(2, 8), torch.zeros(2, 8)
    assert AESG_GRU(4, 8, memory)(torch.rand(2, 4), hidden).shape == (2, 8)
    assert [part.shape for part in AESG_LSTM(4, 8, memory)(torch.rand(2, 4), (hidden, cell))] == [(2, 8), (2, 8)]
    assert AESG_TransformerLayer(8, 2, memory)(torch.rand(2, 5, 8)).shape == (2, 5, 8)
    assert AESG_CNNLayer(3, 6, memory, 8)(torch.rand(2, 3, 8, 8)).shape == (2, 6, 8, 8)


# Memory modes


def test_modes():
    from aesg_graph import AESGTransformer

    memory = AESGTransformer.small(vocab_size=1000).memory
    assert str(memory.mode) == "MemoryMode.TRAIN"
    for mode in ("INFERENCE", "FINETUNE", "ONLINE", "TRAIN"):
        memory.set_mode(mode)
        assert memory.mode.value == mode


def test_what_a_mode_forbids_does_nothing_and_raises_nothing():
    memory = AESGMemory("./read_only", AESGConfig(vector_dim=16, novelty_birth_threshold=1))
    memory.set_mode("INFERENCE")
    memory.retrieve(torch.randn(16))
    assert memory.cognitive_engine.create_sensory_concept(torch.randn(16)) is None
    memory.update_topology()
    assert memory.storage.node_count == 0


# Evaluation


def test_text_metrics():
    from aesg_graph import Evaluator

    predictions = ["the cat sat on the mat", "hello world"]
    references = ["the cat sat on a mat", "hello world"]
    metrics = Evaluator.compute_text_metrics(predictions, references)
    assert 0.5 <= metrics["bleu"] <= 0.8
    assert 0.8 <= metrics["rouge"] <= 1.0
    assert metrics["accuracy"] == 0.5
    assert metrics["perplexity"] >= 1


def test_image_metrics():
    from aesg_graph import Evaluator

    metrics = Evaluator.compute_image_metrics(torch.rand(16, 3, 128, 128), torch.rand(16, 3, 128, 128))
    assert 0 < metrics["psnr"] < 20
    assert -1 <= metrics["ssim"] <= 1
    assert 0 <= metrics["mse"] <= 1
    assert 0 <= metrics["mae"] <= 1


def test_classification_metrics():
    from aesg_graph import Evaluator

    metrics = Evaluator.compute_classification_metrics(torch.randn(200, 10), torch.randint(0, 10, (200,)))
    assert set(metrics) == {"accuracy", "precision", "recall", "f1"}
    assert all(0 <= figure <= 1 for figure in metrics.values())


def test_metrics_that_fit_the_model():
    from aesg_graph import AESGCNNClassifier, Evaluator

    model = AESGCNNClassifier.small(num_classes=5)
    metrics = Evaluator().evaluate(model, torch.randn(50, 5), torch.randint(0, 5, (50,)))
    assert set(metrics) == {"accuracy", "precision", "recall", "f1"}


@pytest.mark.parametrize(
    ("model", "domain"),
    [
        ("AESGTransformer", "text"),
        ("AESGGRUText", "text"),
        ("AESGLSTMText", "text"),
        ("AESGSeq2Seq", "text"),
        ("AESGDecoderLM", "text"),
        ("AESGCNNClassifier", "classification"),
        ("AESGColorizationNet", "image"),
        ("AESGCNNAutoencoder", "image"),
    ],
)
def test_domains_of_the_eight_models(model, domain):
    made = getattr(aesg_graph, model)
    assert made.domain == domain
    assert aesg_graph.Evaluator.detect_domain(made.small(20) if domain == "text" else made.small()) == domain


# Configuration


def test_presets():
    assert (AESGConfig().vector_dim, AESGConfig().max_concepts) == (256, 1_000_000)
    assert (AESGConfig.for_text().vector_dim, AESGConfig.for_text().max_concepts) == (128, 500_000)
    assert (AESGConfig.for_image().vector_dim, AESGConfig.for_image().max_concepts) == (256, 200_000)
    assert (AESGConfig.for_classification().vector_dim, AESGConfig.for_classification().max_concepts) == (64, 100_000)


def test_defaults_that_are_documented():
    expected = {
        "vector_dim": 256,
        "max_concepts": 1_000_000,
        "max_edges_per_node": 1000,
        "spreading_activation_steps": 3,
        "spreading_activation_decay": 0.8,
        "region_facilitation_multiplier": 1.5,
        "novelty_explanation_threshold": 0.6,
        "novelty_birth_threshold": 3,
        "survival_threshold_relevance": 0.05,
        "survival_threshold_frequency": 5,
        "learning_rate": 1e-3,
        "batch_size": 32,
        "memory_mode": "TRAIN",
    }
    assert {name: getattr(AESGConfig(), name) for name in expected} == expected
    assert AESGConfig(**expected) == AESGConfig()


def test_a_custom_configuration_survives_json():
    config = AESGConfig(
        vector_dim=128,
        max_concepts=500_000,
        spreading_activation_steps=4,
        novelty_birth_threshold=5,
        learning_rate=5e-4,
    )
    assert AESGConfig.from_json(config.to_json()) == config


def test_a_configuration_is_frozen():
    config = AESGConfig(vector_dim=128)
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.vector_dim = 256


def test_different_on_purpose_a_bad_configuration_is_refused_when_it_is_made():
    with pytest.raises(aesg_graph.AESGConfigError) as caught:
        AESGConfig(vector_dim=-1, spreading_activation_decay=5.0)
    assert "Parameter 'vector_dim': got -1, expected integer in [1, 8192]" in str(caught.value)
    assert "Parameter 'spreading_activation_decay': got 5.0, expected float in [0.0, 1.0]" in str(caught.value)


# Errors


def test_a_bad_vocabulary():
    from aesg_graph import AESGConfigError, AESGTransformer

    with pytest.raises(AESGConfigError) as caught:
        AESGTransformer.small(vocab_size=0)
    assert caught.value.subsystem == "config"
    assert "vocab_size must be >= 1" in caught.value.message


def test_a_bad_mode():
    from aesg_graph import AESGMemoryError

    memory = AESGMemory("./test", AESGConfig(vector_dim=16, max_concepts=100))
    with pytest.raises(AESGMemoryError) as caught:
        memory.set_mode("INVALID")
    assert caught.value.subsystem == "memory"
    assert "Invalid memory mode 'INVALID'. Valid modes: ['TRAIN', 'FINETUNE', 'INFERENCE', 'ONLINE']" in str(
        caught.value
    )


@pytest.mark.parametrize("name", ["Config", "Memory", "Navigation", "Training", "Storage"])
def test_every_error_is_caught_by_the_base(name):
    with pytest.raises(aesg_graph.AESGError):
        raise getattr(aesg_graph, f"AESG{name}Error")("what happened")


# The memory itself (the page of 0.3.0)


def test_retrieving():
    config = AESGConfig(vector_dim=64, max_concepts=100_000, spreading_activation_steps=3, novelty_birth_threshold=3)
    memory = AESGMemory(directory="./memory_store", config=config)
    query = torch.randn(64)
    memory.reset_state()
    assert memory.retrieve(query).concept_vectors is None
    kept = memory.cognitive_engine.create_sensory_concept(query)
    context = memory.retrieve(query)
    assert context.concept_vectors.shape[1] == 64
    assert kept in context.activated_nodes


def test_attached_to_an_lstm():
    class LSTMWithMemory(nn.Module):
        def __init__(self, input_dim=64, hidden_dim=64, output_dim=10):
            super().__init__()
            config = AESGConfig(vector_dim=hidden_dim, max_concepts=50_000)
            self.memory = AESGMemory(directory="./lstm_memory", config=config)
            self.lstm = nn.LSTM(input_dim, hidden_dim, batch_first=True)
            self.head = nn.Linear(hidden_dim, output_dim)

        def forward(self, x):
            self.memory.reset_state()
            lstm_out, _ = self.lstm(x)
            final_hidden = lstm_out[:, -1, :]
            self.memory(final_hidden)
            return self.head(final_hidden)

    assert LSTMWithMemory()(torch.randn(4, 10, 64)).shape == (4, 10)


def test_attached_to_a_transformer_encoder():
    class TransformerWithMemory(nn.Module):
        def __init__(self, d_model=128, nhead=4, num_layers=2):
            super().__init__()
            layer = nn.TransformerEncoderLayer(d_model=d_model, nhead=nhead, batch_first=True)
            self.encoder = nn.TransformerEncoder(layer, num_layers=num_layers)
            self.memory = AESGMemory("./transformer_memory", AESGConfig(vector_dim=d_model, max_concepts=100_000))
            self.projector = nn.Linear(d_model * 2, d_model)

        def forward(self, src):
            cls_token = self.encoder(src)[:, 0, :]
            self.memory.reset_state()
            ctx = self.memory(cls_token)
            if ctx.concept_vectors is None:
                return cls_token
            ctx_mean = ctx.concept_vectors.mean(dim=0, keepdim=True).expand(cls_token.size(0), -1)
            return self.projector(torch.cat([cls_token, ctx_mean], dim=1))

    model, src = TransformerWithMemory(), torch.randn(2, 8, 128)
    assert model(src).shape == (2, 128)
    model.memory.create(torch.randn(50, 128))
    assert model(src).shape == (2, 128)


def test_saving_and_loading():
    memory = AESGMemory(directory="./persistent_memory", config=AESGConfig(vector_dim=64, novelty_birth_threshold=1))
    for _ in range(100):
        memory.retrieve(torch.randn(64))
    memory.save()
    saved = memory.storage.node_count
    assert saved > 50
    assert AESGMemory(directory="./persistent_memory").storage.node_count == saved
    memory.close()
    gc.collect()  # nobody has it open now: below it is read from disk
    again = AESGMemory(directory="./persistent_memory")
    assert again.storage.node_count == saved
    assert again.retrieve(torch.randn(64)).query.shape == (64,)


def test_pruning():
    config = AESGConfig(
        vector_dim=32, max_concepts=100, survival_threshold_relevance=0.1, survival_threshold_frequency=2
    )
    memory = AESGMemory(directory="./mem_prune", config=config)
    for _ in range(300):
        memory.cognitive_engine.create_sensory_concept(torch.randn(32))
    memory.update_topology()
    nodes = memory.storage.nodes
    assert (nodes["is_active"][: memory.storage.node_count] == 1).sum() == 100


def test_the_log():
    memory = AESGMemory(directory="./mem_log", config=AESGConfig(vector_dim=16, novelty_birth_threshold=1))
    for _ in range(20):
        memory.retrieve(torch.randn(16))
    event = memory.logger.get_history()[0]
    assert event["type"] == "CREATE"
    assert {"timestamp", "type", "id1", "id2", "val"} <= set(event)


def test_common_errors():
    config = AESGConfig(vector_dim=64)
    memory = AESGMemory(directory="./mem_err", config=config)
    with pytest.raises(Exception, match="128"):
        memory.retrieve(torch.randn(128))
    memory.retrieve(torch.randn(config.vector_dim))
    assert AESGMemory(directory="./brand_new_memory", config=config).storage.node_count == 0
    memory.save()


def test_what_a_model_remembers_can_be_counted():
    from aesg_graph import AESGTransformer

    memory = AESGTransformer.small(vocab_size=500).memory
    assert memory.storage.node_count == 0
    assert memory.storage.edge_count == 0
    assert memory.mode.value == "TRAIN"
    assert memory.vector_dim == 64
    memory.create(torch.eye(64)[:3])
    history = memory.logger.get_history()
    assert [event["type"] for event in history[:5]] == ["CREATE"] * 3
    assert all(event["timestamp"] > 0 for event in history)


# The benchmark


def test_the_benchmark(folder):
    from aesg_graph import ColorizationBenchmark

    benchmark = ColorizationBenchmark(
        dataset_name="cifar10", max_images=10, image_size=16, max_epochs=1, output_dir="./benchmark_results"
    )
    results = benchmark.run()
    assert 0 < results["aesg"].psnr < 40
    assert -1 <= results["aesg"].ssim <= 1
    assert 0 < results["baseline"].psnr < 40
    assert -1 <= results["baseline"].ssim <= 1
    assert results["aesg"].memory_nodes >= 0
    written = {path.name for path in (folder / "benchmark_results").rglob("*")}
    assert {"benchmark_report.md", "results.json", "samples", "sample_000.png"} <= written
