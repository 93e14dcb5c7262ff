// How samples are drawn and changed, for Python tests: reads one JSON list of requests from standard input, carries them out,
// and prints the JSON list of their results. A request that fails gives {"error": message}.
//
//   {"do": "draw", "seed", "draws": [["bernoulli", p] | ["geometric", p] | ["choice", [w, …]], …]}
//                                                     → [number, …], of one generator
//   {"do": "fim", "tokenizer": file, "fim": {the section of a recipe}, "eod_id", "seed", "samples": [[tokens, labels, valid]]}
//                                                     → [[tokens, labels, valid], …]
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "json_requests.h"
#include "longhaul/core/config/json.h"
#include "longhaul/core/error.h"
#include "longhaul/data/fim_dataset.h"
#include "longhaul/data/numpy_random.h"

namespace longhaul {
namespace {

using Json = nlohmann::json;

Json draw(const Json& request) {
  RandomState random(request.at("seed").get<uint32_t>());
  Json drawn = Json::array();
  for (const Json& wanted : request.at("draws")) {
    const std::string what = wanted.at(0);
    const Json& of = wanted.at(1);
    if (what == "bernoulli") drawn.push_back(random.bernoulli(of) ? 1 : 0);
    else if (what == "geometric") drawn.push_back(random.geometric(of));
    else drawn.push_back(random.choice(of.get<std::vector<double>>()));
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
                           Tokenizer::from_folder(request.at("tokenizer").get<std::string>()), config, request.at("eod_id"),
                           request.at("seed"));
  Json result = Json::array();
  Sample sample;
  for (int64_t i = 0; i < dataset.size(); ++i) {
    dataset.get(i, sample);
    result.push_back({sample.tokens, sample.labels, sample.valid});
  }
  return result;
}

Json carry_out(const Json& request) { return request.at("do") == "draw" ? draw(request) : fim(request); }

}  // namespace
}  // namespace longhaul

int main() { return longhaul::serve_json_requests(longhaul::carry_out); }
