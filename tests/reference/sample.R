# Reference values for who answered: standardised differences, bounds, missing answers, ordinal checks.
# Run from the folder that holds this file: Rscript sample.R. Packages: lavaan, MASS, sandwich, survey,
# jsonlite. tableone's formulas are written out, and so are Lee's (2009) and Imbens and Manski's (2004).
suppressPackageStartupMessages({library(lavaan); library(MASS); library(sandwich); library(survey); library(jsonlite)})

# Made from a fixed rule, so that the tests can make the same data.
make <- function(cell, n) {
  i <- 0:(n - 1)
  own <- ((3 * i^2 + 5 * i + cell) %% 31) / 10
  item <- function(a, b) {
    x <- pmin(5, pmax(1, round(1 + own + ((a * i^2 + 7 * i + cell) %% 23) / 15 + 0.4 * (cell == 3))))
    x[(b * i + cell) %% 7 == 0] <- NA
    x
  }
  data.frame(cell, t1 = item(4, 3), t2 = item(9, 5), t3 = item(2, 4), w = 0.5 + ((i * 13) %% 17) / 10,
             age = c("young", "middle", "old")[1 + ((i * (2 + cell)) %/% 3) %% 3], sex = ifelse((i * (cell + 2)) %% 5 < 2, "f", "m"),
             person = i)
}
sizes <- c(60, 52, 71, 66)
data <- do.call(rbind, lapply(0:3, function(cell) make(cell, sizes[cell + 1])))
data$score <- ifelse(rowSums(!is.na(data[c("t1", "t2", "t3")])) >= 2, rowMeans(data[c("t1", "t2", "t3")], na.rm = TRUE), NA)
data$treated <- data$cell >= 2; data$after <- data$cell %% 2 == 1

# Standardised differences, cells 0 and 2; tableone::StdDiff and svyStdDiff.
pair <- data[data$cell %in% c(0, 2), ]
means <- function(weighted) {
  side <- function(cell) {
    d <- pair[pair$cell == cell & !is.na(pair$score), ]
    design <- svydesign(~1, weights = if (weighted) ~w else ~rep(1, nrow(d)), data = d)
    c(svymean(~score, design)[[1]], svyvar(~score, design)[[1]])
  }
  a <- side(2); b <- side(0)
  (a[1] - b[1]) / sqrt((a[2] + b[2]) / 2)
}
categories <- function(variable, weighted) {
  mass <- if (weighted) pair$w else rep(1, nrow(pair))
  share <- prop.table(xtabs(mass ~ pair$cell + pair[[variable]]), 1)
  t <- share[2, -1]; c <- share[1, -1]
  cover <- function(p) diag(p, length(p)) - outer(p, p)
  s <- (cover(t) + cover(c)) / 2
  sqrt(drop(t(t - c) %*% ginv(s) %*% (t - c)))
}

# Lee bounds by hand: change scores with lost people, from the formulas of the paper. Cell 3 is treated.
lee <- function(treated, control) {
  qt <- mean(!is.na(treated)); qc <- mean(!is.na(control))
  nt <- length(treated); nc <- length(control)
  y <- sort(treated[!is.na(treated)]); z <- sort(control[!is.na(control)])
  flip <- qc > qt
  kept <- if (flip) z else y; other <- if (flip) y else z
  p <- 1 - min(qt, qc) / max(qt, qc)
  # Cutting exactly a share p, part of a person too: everybody a thousand times.
  many <- rep(kept, each = 100000); cut <- round(p * length(many))
  top <- many[(cut + 1):length(many)]; bottom <- many[1:(length(many) - cut)]
  at <- c(many[cut + 1], many[length(many) - cut])
  v <- function(x) mean((x - mean(x))^2)
  n_kept <- length(kept)
  share <- (1 - qt) / (nt * qt) + (1 - qc) / (nc * qc)
  se <- function(part, at) {
    mu <- mean(part)
    sqrt(v(part) / (n_kept * (1 - p)) + (at - mu)^2 * p / (n_kept * (1 - p)) + (at - mu)^2 * share +
           v(other) / length(other))
  }
  ends <- c(mean(bottom), mean(top)); ses <- c(se(bottom, at[2]), se(top, at[1]))
  if (flip) { ends <- mean(other) - rev(ends); ses <- rev(ses) } else ends <- ends - mean(other)
  width <- diff(ends) / max(ses)
  c <- uniroot(function(c) pnorm(c + width) - pnorm(-c) - 0.95, c(1, 3), tol = 1e-12)$root
  list(lower = ends[1], upper = ends[2], se_lower = ses[1], se_upper = ses[2], low = ends[1] - c * ses[1],
       high = ends[2] + c * ses[2], p = p)
}
follow <- function(cell, lost) {
  i <- 0:(sizes[cell + 1] - 1)
  y <- ((5 * i^2 + 3 * i + 2 * cell) %% 29) / 7 - 1.5 + 0.4 * (cell == 3)
  y[(i * 11 + cell) %% lost == 0] <- NA
  y
}

# Missing answers: saturated normal in each cell, lavaan's FIML with robust errors.
model <- "t1 ~ c(a0, a1, a2, a3) * 1
t2 ~ c(b0, b1, b2, b3) * 1
t3 ~ c(d0, d1, d2, d3) * 1
t1 ~~ t2 + t3
t2 ~~ t3
t1 ~~ t1
t2 ~~ t2
t3 ~~ t3
m0 := (a0 + b0 + d0) / 3
m3 := (a3 + b3 + d3) / 3
did := (a3 + b3 + d3 - a2 - b2 - d2 - a1 - b1 - d1 + a0 + b0 + d0) / 3"
fiml <- sem(model, data, group = "cell", missing = "fiml", estimator = "MLR", group.label = 0:3)
rows <- parameterEstimates(fiml)
one <- function(name) list(estimate = rows$est[rows$lhs == name], se = rows$se[rows$lhs == name])
covariance <- lavInspect(fiml, "est")[["0"]]$theta

# Ordinal checks.
known <- data[!is.na(data$score), ]
known$level <- factor(known$score, ordered = TRUE)
polr_fit <- polr(level ~ treated * after, known, Hess = TRUE, control = list(reltol = 1e-16, maxit = 1000))
robust <- sqrt(diag(sandwich(polr_fit)))
weighted <- polr(level ~ treated * after, known, weights = w, Hess = TRUE, control = list(reltol = 1e-16, maxit = 1000))
single <- data[!is.na(data$t1), ]
single$level <- factor(single$t1, ordered = TRUE)
item <- polr(level ~ treated * after, single, Hess = TRUE, control = list(reltol = 1e-16, maxit = 1000))
name <- "treatedTRUE:afterTRUE"
ranks <- wilcox.test(score ~ after, known[known$treated, ], exact = FALSE)

result <- list(
  means = list(plain = means(FALSE), weighted = means(TRUE)),
  age = list(plain = categories("age", FALSE), weighted = categories("age", TRUE)),
  sex = list(plain = categories("sex", FALSE), weighted = categories("sex", TRUE)),
  lee = lee(follow(3, 9), follow(1, 4)), lee_control = lee(follow(3, 4), follow(1, 9)),
  fiml = list(m0 = one("m0"), m3 = one("m3"), did = one("did"), covariance = unname(covariance)),
  ordered = list(estimate = coef(polr_fit)[[name]], se = sqrt(diag(vcov(polr_fit)))[[name]], robust = robust[[name]],
                 weighted = coef(weighted)[[name]], item = coef(item)[[name]],
                 item_se = sqrt(diag(vcov(item)))[[name]]),
  ranks = list(p = ranks$p.value, u = unname(ranks$statistic)),
  versions = list(R = as.character(getRversion()), lavaan = as.character(packageVersion("lavaan")),
                  MASS = as.character(packageVersion("MASS")), survey = as.character(packageVersion("survey")))
)
write_json(result, "sample.json", digits = NA, auto_unbox = TRUE, pretty = TRUE)
