-- An iterator of an earlier batch.
-- run: dirty first|earlier batch
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  if not next_row then
    next_row, row = batch:rows()
    error('first')
  end
  next_row(row)
end

return stage
