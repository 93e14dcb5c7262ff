// Blends for Python tests: reads one JSON list of requests from standard input, carries them out, and prints the JSON
// list of their results. A request that fails gives {"error": message}.
//
//   {"do": "index", "weights": [w, …] | "lengths": [n, …], "size", "prefix"}
//                         → {}; writes PREFIX-dataset_index.npy and PREFIX-dataset_sample_index.npy
//   {"do": "datasets", "data": {the data section of a recipe}, "requested": [train | null, valid | null, test | null],
//    "tokenizer", "first": n}
//                         → for each of the three null, or {"size", "order_id", "tokens": of the first n samples}
#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>

#include "data/blend_index.h"
#include "longhaul/core/config/json.h"
#include "longhaul/core/error.h"
#include "longhaul/data/datasets.h"
#include "json_requests.h"

namespace longhaul {
namespace {

using Json = nlohmann::json;

Json index(const Json& request) {
  const int64_t size = request.at("size");
  const std::string prefix = request.at("prefix");
  IndexArrayWriter datasets(prefix + "-dataset_index.npy", IndexArray::Type::int16, size);
  IndexArrayWriter samples(prefix + "-dataset_sample_index.npy", IndexArray::Type::int64, size);
  if (request.contains("weights")) {
    build_blend_index(normalized(request.at("weights").get<std::vector<double>>()), size, {datasets, samples});
  } else {
    build_blend_index_by_size(request.at("lengths").get<std::vector<int64_t>>(), size, {datasets, samples});
  }
  datasets.finish();
  samples.finish();
  return Json::object();
}

Json datasets(const Json& request) {
  DataConfig config;
  read_config(config, request.at("data"), "the request");
  RequestedSamples requested;
  for (size_t i = 0; i < requested.size(); ++i) {
    const Json& samples = request.at("requested").at(i);
    if (!samples.is_null()) requested[i] = samples.get<int64_t>();
  }
  const Datasets built = build_datasets(config, requested, {0, request.at("tokenizer")});
  Json results = Json::array();
  for (const auto& dataset : {built.train, built.valid, built.test}) {
    Json& result = results.emplace_back();
    if (!dataset) continue;
    result = {{"size", dataset->size()}, {"order_id", dataset->order_id()}, {"tokens", Json::array()}};
    Sample sample;
    for (int64_t i = 0; i < std::min(request.at("first").get<int64_t>(), dataset->size()); ++i) {
      dataset->get(i, sample);
      result["tokens"].push_back(sample.tokens);
    }
  }
  return results;
}

Json carry_out(const Json& request) {
  return request.at("do") == "index" ? index(request) : datasets(request);
}

}  // namespace
}  // namespace longhaul

int main() {
  return longhaul::serve_json_requests(longhaul::carry_out);
}
