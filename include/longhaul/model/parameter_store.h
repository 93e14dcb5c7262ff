// A rank's parameters of a model, in flat memory.
//
// Values lie one after another in one buffer of the training dtype, main gradients in one FP32 buffer (FP64 for FP64) with the same
// layout; a parameter's tensors are views. Weight-decayed parameters come first, so that the optimiser steps over two
// contiguous ranges, and the gradient norm over one.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/ScalarType.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "longhaul/model/parameter.h"
#include "longhaul/parallel/tensor_group.h"
#include "longhaul/ops/weight.h"

namespace longhaul {

// Elements [begin, end) of the flat buffers.
struct FlatRange {
  int64_t begin = 0;
  int64_t end = 0;
  bool operator==(const FlatRange&) const = default;
};

class ParameterStore {
 public:
  struct Options {
    c10::ScalarType dtype = c10::ScalarType::Float;
    c10::Device device = c10::Device(c10::DeviceType::CPU);
    bool main_grads = true;       // false for evaluation and generation
    int64_t vocab_multiple = 1;   // padding of a rank's rows where ShardSpec::vocabulary is set
    int64_t flat_multiple = 1;    // the flat buffers' length is one: so many data-parallel ranks share them evenly
    TensorGroup tensor{};         // the ranks that share each matrix; this one holds its blocks of it
  };

  explicit ParameterStore(Options options);

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
  // The parameters as views into `flat`, another buffer with this store's layout (the optimiser's masters, say).
  std::vector<Parameter> views_of(const at::Tensor& flat) const;

  const at::Tensor& flat_values() const { return flat_values_; }
  const at::Tensor& flat_main_grads() const { return flat_main_grads_; }
  int64_t decayed_elements() const { return decayed_elements_; }  // the first so many elements have weight decay
  // What this rank counts, of the gradient's norm for example: every element of the model is in exactly one rank's
  // ranges (of those that share a model). Ascending; the zeros between parameters may be among them.
  const std::vector<FlatRange>& owned_ranges() const { return owned_; }
  // Where parameter `index`'s block `block` lies in the flat buffers.
  FlatRange range_of(size_t index, size_t block) const;
  const Options& options() const { return options_; }
  const TensorGroup& tensor() const { return options_.tensor; }

  // Adds what autograd left in `.grad` (operators without main_grad, a user's own modules) to the main gradients.
  void collect_autograd_gradients();

 private:
  TensorCut cut() const;

  Options options_;
  std::vector<Parameter> parameters_;
  std::vector<int64_t> offsets_;
  std::unordered_map<std::string, size_t> index_;
  at::Tensor flat_values_;
  at::Tensor flat_main_grads_;
  int64_t decayed_elements_ = 0;
  std::vector<FlatRange> owned_;
};

}  // namespace longhaul
