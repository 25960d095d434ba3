-- An error that is a function.
-- run: dirty error without a text (a function)
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  error(print)
end

return stage
