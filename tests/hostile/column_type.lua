-- A type that is none.
-- run: dirty is not a decimal type
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  return batch.__value__:cast('decimal(99999999999999999999,1)x')
end

return stage
