// A rank's parameters of a model, in flat memory.
//
// All lie one after another in one flat layout, unit by unit: a unit is what a forward uses together, such as a layer.
// Each unit has one buffer of values in the training dtype and one of main gradients in FP32 (FP64 for FP64); a
// parameter's tensors are views. Within a unit weight-decayed parameters come first, so that the optimiser steps over
// two contiguous ranges of it.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/ScalarType.h>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "longhaul/model/parameter.h"
#include "longhaul/model/unit_events.h"
#include "longhaul/ops/weight.h"
#include "longhaul/parallel/tensor_group.h"

namespace longhaul {

// Elements [begin, end) of the flat layout.
struct FlatRange {
  int64_t begin = 0;
  int64_t end = 0;
  int64_t count() const { return end - begin; }
  bool operator==(const FlatRange&) const = default;
};
// What lies in both; empty where nothing does.
FlatRange intersection(FlatRange a, FlatRange b);

struct ParameterUnit {
  FlatRange range;          // with padding behind the parameters
  int64_t decayed_end = 0;  // [range.begin, decayed_end) has weight decay
  at::Tensor values;        // [range.count()]
  at::Tensor main_grads;    // the same; undefined without
};

class ParameterStore {
 public:
  struct Options {
    c10::ScalarType dtype = c10::ScalarType::Float;
    c10::Device device = c10::Device(c10::DeviceType::CPU);
    bool main_grads = true;      // false for evaluation and generation
    int64_t vocab_multiple = 1;  // padding of a rank's rows where ShardSpec::vocabulary is set
    int64_t flat_multiple = 1;   // a unit's length is one: so many data-parallel ranks share it evenly
    // Units have no memory for values, or for main gradients, but when their UnitEvents give them some.
    bool values_on_demand = false;
    bool gradients_on_demand = false;
    // Makes the other buffers, [elements] zeros; empty: LibTorch does.
    std::function<at::Tensor(int64_t elements, const at::TensorOptions& options)> zeros;
    TensorGroup tensor{};  // the ranks that share each matrix; this one holds its blocks of it
  };

  explicit ParameterStore(Options options);

  // What is declared from here on is a unit of its own. Returns its number.
  size_t begin_unit();
  // Declares a parameter; all are declared before `allocate`. A name that exists is an InternalError.
  void declare(const std::string& name, const ShardSpec& shard);
  // Makes the buffers and the views. Values are not initialised.
  void allocate();

  // The weight under `name`, whose tensors are filled by `allocate`. Undeclared names are an InternalError.
  const Parameter& at(std::string_view name) const;
  ops::Weight weight(std::string_view name) const;
  bool contains(std::string_view name) const;

  std::vector<Parameter>& parameters() { return parameters_; }
  const std::vector<Parameter>& parameters() const { return parameters_; }
  int64_t parameter_count() const;  // elements of the global tensors, without padding
  // `range` widened to whole rows of the parameters that it cuts, or all of a parameter whose blocks are columns.
  FlatRange whole_rows(FlatRange range) const;
  // What lies in `rows`, which whole_rows gave, as parameters that are views into another buffer of that length (the
  // optimiser's masters, say). Of a parameter that lies in part within they have those rows: their `blocks` tell which.
  std::vector<Parameter> views_of(FlatRange rows, const at::Tensor& buffer) const;

  const std::vector<ParameterUnit>& units() const { return units_; }
  size_t unit_of(size_t index) const { return unit_of_[index]; }  // of parameter `index`
  size_t unit_of(std::string_view name) const;
  int64_t flat_elements() const { return units_.empty() ? 0 : units_.back().range.end; }
  // What this rank counts, of the gradient's norm for example: every element of the model is in exactly one rank's
  // ranges (of those that share a model). Ascending; the zeros between parameters may be among them.
  const std::vector<FlatRange>& owned_ranges() const { return owned_; }
  // Where parameter `index`'s block `block` lies in the flat layout.
  FlatRange range_of(size_t index, size_t block) const;
  const Options& options() const { return options_; }
  const TensorGroup& tensor() const { return options_.tensor; }

  // Adds what autograd left in `.grad` (operators without main_grad, a user's own modules) to the main gradients of a
  // unit, or of all.
  void collect_autograd_gradients(size_t unit);
  void collect_autograd_gradients();

  // Who is told what a pass through the model does with the units; null: nobody. It outlives every pass.
  void tell(UnitEvents* events) { events_ = events; }
  UnitEvents* events() const { return events_; }

 private:
  TensorCut cut() const;
  void lay_out();

  Options options_;
  std::vector<Parameter> parameters_;  // in the order of the flat layout, once allocated
  std::vector<size_t> unit_of_;        // by parameter
  std::vector<int64_t> offsets_;       // by parameter, in the flat layout
  std::unordered_map<std::string, size_t> index_;
  std::vector<ParameterUnit> units_;
  std::vector<FlatRange> owned_;
  UnitEvents* events_ = nullptr;
};

}  // namespace longhaul
