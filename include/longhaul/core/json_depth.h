// No file of ours or of Hugging Face nests its values deeply. One that does would overflow the stack of whoever copies or
// prints it.
#pragma once

#include <string>
#include <string_view>

namespace longhaul {

// Throws UserError, which begins with `source`, when the JSON text nests lists and objects more than 256 deep.
void refuse_deep_json(std::string_view text, const std::string& source);

}  // namespace longhaul
