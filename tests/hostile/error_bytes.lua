-- An error of bytes that are no text.
-- run: dirty bytes
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  error('bytes \xff\0\1 more')
end

return stage
