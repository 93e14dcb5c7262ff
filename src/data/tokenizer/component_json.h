// From JSON to components, one function a kind.
#pragma once

#include <memory>
#include <vector>

#include "data/tokenizer/decoder.h"
#include "data/tokenizer/json_node.h"
#include "data/tokenizer/model.h"
#include "data/tokenizer/normalizer.h"
#include "data/tokenizer/post_processor.h"
#include "data/tokenizer/pre_tokenizer.h"

namespace longhaul::tokenizer {

std::unique_ptr<Normalizer> read_normalizer(const JsonNode& node);
// Appends what the component is made of.
void read_pre_tokenizer(const JsonNode& node, std::vector<std::unique_ptr<PreTokenizer>>& out);
std::unique_ptr<Model> read_model(const JsonNode& node);
void read_post_processor(const JsonNode& node, std::vector<std::unique_ptr<PostProcessor>>& out);
std::unique_ptr<Decoder> read_decoder(const JsonNode& node);

std::unique_ptr<Model> read_bpe(const JsonNode& node);
// {"token": id, …}
Vocabulary read_vocabulary(const JsonNode& node);

// {"String": …} or {"Regex": …}
std::unique_ptr<Matcher> read_pattern(const JsonNode& node);
PrependScheme read_prepend_scheme(const JsonNode& node);

// The component's "type".
const std::string& component_type(const JsonNode& node);
[[noreturn]] void refuse_component(const JsonNode& node, std::string_view kind, std::string_view known);

}  // namespace longhaul::tokenizer
