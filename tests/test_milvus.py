"""The embedding function against a real database: put sounds into Milvus Lite and find them."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile

import sonovec
from sonovec.errors import AudioError, UsageError
from sonovec.milvus import AudioEmbeddingFunction
from tests.models import tiny

RATE = 16000


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Tones of rising pitch, so that neighbours in the list are neighbours in sound."""
    folder = tmp_path_factory.mktemp("tones")
    made = []
    for i in range(6):
        made.append(str(folder / f"{i}.wav"))
        soundfile.write(made[-1], np.sin(np.arange(2 * RATE) * 0.03 * 1.5**i) / 2, RATE, subtype="FLOAT")
    return made


@pytest.fixture(scope="module")
def clap(tmp_path_factory):
    """A small encoder with random weights that knows words."""
    return str(tiny.clap(tmp_path_factory.mktemp("clap"), fusion=False))


@pytest.fixture
def client(tmp_path):
    from pymilvus import MilvusClient

    client = MilvusClient(uri=str(tmp_path / "sounds.db"))
    yield client
    client.close()


def fill(client, embed, files, metric):
    client.create_collection("sounds", dimension=embed.dim, metric_type=metric)
    rows = [{"id": i, "vector": v, "path": files[i]} for i, v in enumerate(embed.encode_documents(files))]
    assert client.insert("sounds", rows)["insert_count"] == len(files)


def search(client, vectors):
    return client.search("sounds", data=vectors, limit=2, output_fields=["path"])


@pytest.mark.parametrize("metric", ["COSINE", "IP", "L2"])
def test_a_sound_is_found_in_a_database(client, files, metric):
    embed = AudioEmbeddingFunction("logmel")
    fill(client, embed, files, metric)
    found = search(client, embed.encode_queries([files[4], files[1]]))
    assert [hits[0]["entity"]["path"] for hits in found] == [files[4], files[1]]
    best = 0 if metric == "L2" else 1
    assert found[0][0]["distance"] == pytest.approx(best, abs=1e-4)


@pytest.mark.slow
def test_words_can_ask_for_sounds(client, files, clap):
    embed = AudioEmbeddingFunction(clap, queries="text")
    fill(client, embed, files, "COSINE")
    (vector,) = embed.encode_queries(["glass breaking"])
    np.testing.assert_array_equal(vector, embed.encode_texts(["glass breaking"])[0])
    best = max(files, key=lambda file: float(embed.encode_documents([file])[0] @ vector))
    assert search(client, [vector])[0][0]["entity"]["path"] == best


def test_vectors_are_those_of_the_encoder_in_the_order_given(files):
    plain = AudioEmbeddingFunction("logmel", normalize=False, hop=0.5)
    expected = np.stack([sonovec.load("logmel", hop=0.5).embed(file).vector for file in files])
    for encode in (plain, plain.encode_documents, plain.encode_queries):
        found = encode(files)
        assert isinstance(found, list) and found[0].dtype == np.float32
        np.testing.assert_array_equal(np.stack(found), expected)
    scaled = np.stack(AudioEmbeddingFunction("logmel", hop=0.5)(files))
    np.testing.assert_allclose(scaled, expected / np.linalg.norm(expected, axis=1, keepdims=True), atol=1e-6)


@pytest.mark.slow
def test_a_string_is_never_guessed_to_be_words(clap):
    embed = AudioEmbeddingFunction(clap)
    with pytest.raises(AudioError, match="glass breaking: no such file.* for words, call encode_texts"):
        embed.encode_queries(["glass breaking"])
    assert len(embed.encode_texts(["glass breaking", "rain"])) == 2


def test_an_encoder_that_only_hears_is_refused_at_once_for_words():
    with pytest.raises(UsageError, match="cannot embed text"):
        AudioEmbeddingFunction("logmel", queries="text")


def test_all_files_that_fail_are_named(files):
    with pytest.raises(AudioError, match=r"2 of 3 sounds .*one\.wav: no such file.*two\.wav: no such file"):
        AudioEmbeddingFunction("logmel").encode_documents(["one.wav", files[0], "two.wav"])


def test_what_is_no_list_is_refused(clap):
    embed = AudioEmbeddingFunction("logmel")
    for encode in (embed, embed.encode_documents, embed.encode_queries):
        with pytest.raises(UsageError, match=r"\['a.wav'\]"):
            encode("a.wav")
    words = AudioEmbeddingFunction(clap, queries="text")
    for encode in (words.encode_queries, words.encode_texts):
        with pytest.raises(UsageError, match=r"list"):
            encode("rain")
    with pytest.raises(UsageError, match="give 'sound' or 'text'"):
        AudioEmbeddingFunction("logmel", queries="words")


def test_nothing_gives_nothing():
    assert AudioEmbeddingFunction("logmel").encode_documents([]) == []


@pytest.mark.slow
def test_it_is_one_of_milvus_own_functions_where_those_are_installed():
    base = pytest.importorskip("pymilvus.model.base", reason="needs pymilvus.model: pip install 'pymilvus[model]'")
    assert issubclass(AudioEmbeddingFunction, base.BaseEmbeddingFunction)
