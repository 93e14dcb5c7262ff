// Encoding that also tells where in the text each token stands.
#pragma once

#include <algorithm>
#include <string>

#include "data/tokenizer/encode_run.h"
#include "longhaul/data/tokenizer/tokenizer.h"

namespace longhaul::tokenizer {

std::vector<TokenPlace> encode_with_offsets(const Pipeline& pipeline, EncodeBuffers& buffers, std::string_view text,
                                            bool add_special_tokens);

}  // namespace longhaul::tokenizer
