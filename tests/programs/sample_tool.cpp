// How samples are drawn and changed, for Python tests: reads one JSON list of requests from standard input, carries
// them out, and prints the JSON list of their results. A request that fails gives {"error": message}.
//
//   {"do": "draw", "seed", "draws": [["bernoulli", p] | ["geometric", p] | ["choice", [w, …]], …]}
//                                                     → [number, …], of one generator
//   {"do": "fim", "tokenizer": file, "fim": {the section of a recipe}, "eod_id", "seed", "samples": [[tokens, labels,
//   valid]]}
//                                                     → [[tokens, labels, valid], …]
//   {"do": "bert" | "t5", "prefix", "split", "split_string" | null, "sequence_length", "samples" | null, "seed",
//    "short_probability", "masking": {"probability", "max_ngram", "whole_words", "longer_ngrams", "geometric"},
//    "cache_dir", "tokenizer", "vocabulary": {"cls", "sep", "mask", "pad", "bos", "eos", "sentinels", "continues": [id,
//    …], "size"}, "sentence_pairs" | "decoder_length"}
//                                                     → {"rows": [[begin, end, target], …], "samples": [{…}, …]}
#include <memory>
#include <numeric>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "json_requests.h"
#include "longhaul/core/config/json.h"
#include "longhaul/core/error.h"
#include "longhaul/data/bert_dataset.h"
#include "longhaul/data/fim_dataset.h"
#include "longhaul/data/indexed_dataset.h"
#include "longhaul/data/numpy_random.h"
#include "longhaul/data/t5_dataset.h"

namespace longhaul {
namespace {

using Json = nlohmann::json;

Json draw(const Json& request) {
  RandomState random(request.at("seed").get<uint32_t>());
  Json drawn = Json::array();
  for (const Json& wanted : request.at("draws")) {
    const std::string what = wanted.at(0);
    const Json& of = wanted.at(1);
    if (what == "bernoulli")
      drawn.push_back(random.bernoulli(of) ? 1 : 0);
    else if (what == "geometric")
      drawn.push_back(random.geometric(of));
    else
      drawn.push_back(random.choice(of.get<std::vector<double>>()));
  }
  return drawn;
}

class GivenSamples : public Dataset {
 public:
  explicit GivenSamples(const Json& samples) {
    for (const Json& sample : samples) samples_.push_back({sample.at(0), sample.at(1), sample.at(2)});
  }
  int64_t size() const override { return static_cast<int64_t>(samples_.size()); }
  void get(int64_t index, Sample& sample) const override { sample = samples_.at(static_cast<size_t>(index)); }
  std::vector<SamplePart> parts(int64_t) const override { return {}; }
  std::string order_id() const override { return "given"; }

 private:
  std::vector<Sample> samples_;
};

Json fim(const Json& request) {
  FimConfig config;
  read_config(config, request.at("fim"), "the request");
  const FimDataset dataset(std::make_shared<const GivenSamples>(request.at("samples")),
                           Tokenizer::from_folder(request.at("tokenizer").get<std::string>()), config,
                           request.at("eod_id"), request.at("seed"));
  Json result = Json::array();
  Sample sample;
  for (int64_t i = 0; i < dataset.size(); ++i) {
    dataset.get(i, sample);
    result.push_back({sample.tokens, sample.labels, sample.valid});
  }
  return result;
}

void read_options(const Json& request, SentenceDatasetOptions& options) {
  for (const Split split : {Split::train, Split::valid, Split::test}) {
    if (request.at("split") == split_name(split)) options.split = split;
  }
  if (!request.at("split_string").is_null()) options.split_string = request.at("split_string").get<std::string>();
  request.at("sequence_length").get_to(options.sequence_length);
  if (!request.at("samples").is_null()) options.samples = request.at("samples").get<int64_t>();
  request.at("seed").get_to(options.seed);
  request.at("short_probability").get_to(options.short_probability);
  const Json& masking = request.at("masking");
  masking.at("probability").get_to(options.masking.probability);
  masking.at("max_ngram").get_to(options.masking.max_ngram);
  masking.at("whole_words").get_to(options.masking.whole_words);
  masking.at("longer_ngrams").get_to(options.masking.longer_ngrams);
  masking.at("geometric").get_to(options.masking.geometric);
  request.at("cache_dir").get_to(options.cache_dir);
  request.at("tokenizer").get_to(options.tokenizer_json);
}

MaskVocabulary read_vocabulary(const Json& json) {
  MaskVocabulary vocabulary;
  vocabulary.cls = json.at("cls").get<int64_t>();
  vocabulary.sep = json.at("sep").get<int64_t>();
  vocabulary.mask = json.at("mask").get<int64_t>();
  vocabulary.bos = json.at("bos").get<int64_t>();
  vocabulary.eos = json.at("eos").get<int64_t>();
  json.at("pad").get_to(vocabulary.pad);
  json.at("sentinels").get_to(vocabulary.sentinels);
  vocabulary.ids.resize(json.at("size").get<size_t>());
  std::iota(vocabulary.ids.begin(), vocabulary.ids.end(), 0);
  vocabulary.continues.resize(vocabulary.ids.size());
  for (const size_t id : json.at("continues")) vocabulary.continues.at(id) = true;
  return vocabulary;
}

Json to_json(const BertSample& sample) {
  return {{"tokens", sample.tokens}, {"types", sample.types},     {"labels", sample.labels},
          {"length", sample.length}, {"swapped", sample.swapped}, {"truncated", sample.truncated}};
}

Json to_json(const T5Sample& sample) {
  return {{"encoder", sample.encoder},
          {"decoder", sample.decoder},
          {"labels", sample.labels},
          {"encoder_length", sample.encoder_length},
          {"decoder_length", sample.decoder_length},
          {"truncated", sample.truncated}};
}

template <typename Sample, typename Dataset>
Json samples_of(const Dataset& dataset) {
  Json result{{"rows", Json::array()}, {"samples", Json::array()}};
  Sample sample;
  for (int64_t i = 0; i < dataset.size(); ++i) {
    const SentenceSamples::Row row = dataset.samples().row(i);
    result["rows"].push_back({row.begin, row.end, row.target});
    dataset.get(i, sample);
    result["samples"].push_back(to_json(sample));
  }
  return result;
}

Json bert(const Json& request) {
  BertDatasetOptions options;
  read_options(request, options);
  request.at("sentence_pairs").get_to(options.sentence_pairs);
  return samples_of<BertSample>(BertDataset(std::make_shared<const IndexedDatasetReader>(request.at("prefix")),
                                            read_vocabulary(request.at("vocabulary")), options));
}

Json t5(const Json& request) {
  T5DatasetOptions options;
  read_options(request, options);
  request.at("decoder_length").get_to(options.decoder_length);
  return samples_of<T5Sample>(T5Dataset(std::make_shared<const IndexedDatasetReader>(request.at("prefix")),
                                        read_vocabulary(request.at("vocabulary")), options));
}

Json carry_out(const Json& request) {
  const std::string what = request.at("do");
  if (what == "draw") return draw(request);
  if (what == "fim") return fim(request);
  if (what == "bert") return bert(request);
  if (what == "t5") return t5(request);
  throw UserError("no request is called {}", what);
}

}  // namespace
}  // namespace longhaul

int main() {
  return longhaul::serve_json_requests(longhaul::carry_out);
}
