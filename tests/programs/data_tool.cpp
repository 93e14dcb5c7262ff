// The data layer for Python tests: reads one JSON list of requests from standard input, carries them out, and
// prints the JSON list of their results. A request that fails gives {"error": message}.
//
//   {"do": "write", "prefix", "vocab_size", "documents": [[[id, …] sequence, …] document, …]}
//   {"do": "read", "prefix"}                          → {"sequences": [[id, …]], "borders": […]}
//   {"do": "samples", "prefix", "split", "split_string" | null, "sequence_length", "samples" | null, "seed",
//    "drop_last", "cache_dir", "tokenizer"}
//                                          → {"size", "epochs", "samples": [[tokens, labels, valid]]}
//   {"do": "datasets", "train", "valid", "test", "split", "sequence_length", "seed", "cache_dir",
//    "tokenizer", "requested": [train | null, valid | null, test | null]}
//                                                     → sizes of the three, null where none is built
//   {"do": "prepare", "inputs", "keys", "prefix", "append_eod", "workers", "vocab_size"}
//                                                     → {"documents", "tokens"}; texts are decimal ids
//   {"do": "sampler", "cyclic", "sharding", "total", "micro_batch", "ranks", "consumed", "batches"}
//                                                     → [[[number, …] batch, …] rank, …]
//   {"do": "permutation", "size", "seed", "wide_from" | null}
//                                                     → [number, …]; of more than 10^6 numbers their hash: the sum of
//                                                       (i + 1) · number i, modulo 2^64
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

#include "data/torch_permutation.h"
#include "longhaul/core/error.h"
#include "longhaul/data/datasets.h"
#include "longhaul/data/gpt_dataset.h"
#include "longhaul/data/indexed_dataset.h"
#include "longhaul/data/indexed_dataset_writer.h"
#include "longhaul/data/prepare.h"
#include "longhaul/data/sampler.h"
#include "json_requests.h"

namespace longhaul {
namespace {

using Json = nlohmann::json;

Json write(const Json& request) {
  IndexedDatasetWriter writer(request.at("prefix"), token_type_for_vocabulary(request.at("vocab_size")));
  for (const Json& document : request.at("documents")) {
    for (const Json& sequence : document) writer.add_sequence(sequence.get<std::vector<int32_t>>());
    writer.end_document();
  }
  writer.finalize();
  return Json::object();
}

Json read(const Json& request) {
  const IndexedDatasetReader reader(request.at("prefix"));
  Json result{{"sequences", Json::array()}, {"borders", Json::array()}};
  for (int64_t i = 0; i < reader.sequences(); ++i) result["sequences"].push_back(reader.get(i));
  for (int64_t i = 0; i <= reader.documents(); ++i) result["borders"].push_back(reader.document_border(i));
  return result;
}

Split split_named(const std::string& name) {
  for (const Split split : {Split::train, Split::valid, Split::test}) {
    if (split_name(split) == name) return split;
  }
  throw UserError("no split is called {}", name);
}

Json samples(const Json& request) {
  GptDatasetOptions options;
  options.split = split_named(request.at("split"));
  if (!request.at("split_string").is_null()) options.split_string = request.at("split_string").get<std::string>();
  options.sequence_length = request.at("sequence_length");
  if (!request.at("samples").is_null()) options.samples = request.at("samples").get<int64_t>();
  options.seed = request.at("seed");
  options.drop_last = request.at("drop_last");
  options.cache_dir = request.at("cache_dir");
  options.tokenizer_json = request.at("tokenizer");
  const GptDataset dataset(std::make_shared<const IndexedDatasetReader>(request.at("prefix")), options);
  Json result{{"size", dataset.size()}, {"epochs", dataset.epochs()}, {"samples", Json::array()}};
  Sample sample;
  for (int64_t i = 0; i < dataset.size(); ++i) {
    dataset.get(i, sample);
    result["samples"].push_back({sample.tokens, sample.labels, sample.valid});
  }
  return result;
}

Json datasets(const Json& request) {
  DataConfig config;
  request.at("train").get_to(config.train);
  request.at("valid").get_to(config.valid);
  request.at("test").get_to(config.test);
  request.at("split").get_to(config.split);
  request.at("sequence_length").get_to(config.sequence_length);
  request.at("seed").get_to(config.seed);
  request.at("cache_dir").get_to(config.cache_dir);
  RequestedSamples requested;
  for (size_t i = 0; i < requested.size(); ++i) {
    const Json& samples = request.at("requested").at(i);
    if (!samples.is_null()) requested[i] = samples.get<int64_t>();
  }
  const Datasets built = build_datasets(config, requested, {0, request.at("tokenizer")});
  Json sizes = Json::array();
  for (const auto& dataset : {built.train, built.valid, built.test}) {
    sizes.push_back(dataset ? Json(dataset->size()) : Json(nullptr));
  }
  return sizes;
}

Json run_prepare(const Json& request) {
  PrepareOptions options;
  request.at("inputs").get_to(options.inputs);
  request.at("keys").get_to(options.json_keys);
  request.at("prefix").get_to(options.output_prefix);
  request.at("append_eod").get_to(options.append_eod);
  request.at("workers").get_to(options.workers);
  options.show_progress = false;
  PrepareTokenizer tokenizer;
  tokenizer.vocab_size = request.at("vocab_size");
  tokenizer.eod_id = static_cast<int32_t>(tokenizer.vocab_size - 1);
  tokenizer.make_encoder = [](bool) {
    return [](std::string_view text, std::vector<int32_t>& ids) {
      std::istringstream stream{std::string(text)};
      for (int32_t id = 0; stream >> id;) ids.push_back(id);
    };
  };
  const PrepareReport report = prepare(options, tokenizer);
  return {{"documents", report.datasets[0].documents}, {"tokens", report.datasets[0].tokens}};
}

Json read_sampler(const Json& request) {
  const SamplerOptions options{request.at("cyclic").get<bool>() ? SamplerKind::cyclic : SamplerKind::sequential,
                               request.at("sharding"), request.at("micro_batch"), request.at("ranks")};
  Sampler sampler(options, request.at("total"));
  Json read = Json::array();
  std::vector<int64_t> numbers;
  for (int64_t rank = 0; rank < options.ranks; ++rank) {
    Json& batches = read.emplace_back(Json::array());
    int64_t consumed = request.at("consumed");
    for (int64_t i = 0; i < request.at("batches").get<int64_t>(); ++i, consumed += sampler.stride()) {
      sampler.read_at(consumed, rank, numbers);
      batches.push_back(numbers);
    }
  }
  return read;
}

Json permutation(const Json& request) {
  const Json& wide_from = request.at("wide_from");
  std::vector<uint32_t> numbers;
  torch_permutation(request.at("size"), request.at("seed"), numbers,
                    wide_from.is_null() ? kWideTorchPermutation : wide_from.get<int64_t>());
  if (numbers.size() <= 1'000'000) return numbers;
  uint64_t hash = 0;
  for (size_t i = 0; i < numbers.size(); ++i) hash += (i + 1) * numbers[i];
  return hash;
}

Json carry_out(const Json& request) {
  const std::string what = request.at("do");
  if (what == "write") return write(request);
  if (what == "read") return read(request);
  if (what == "samples") return samples(request);
  if (what == "datasets") return datasets(request);
  if (what == "sampler") return read_sampler(request);
  if (what == "permutation") return permutation(request);
  if (what == "prepare") return run_prepare(request);
  throw UserError("no request is called {}", what);
}

}  // namespace
}  // namespace longhaul

int main() {
  return longhaul::serve_json_requests(longhaul::carry_out);
}
